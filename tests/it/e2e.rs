//! TOML to PNG with both binaries.
