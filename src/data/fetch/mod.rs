//! Gets known data sets over the network.
