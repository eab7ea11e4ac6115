//! Reading and making images, in memory or file by file. Knows nothing of libtorch.
