//! Readers against real files, downloads against a local server.
