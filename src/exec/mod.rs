//! Starting, finding and stopping worker processes.
