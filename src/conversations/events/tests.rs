//! Bodies are the same live and read again.
