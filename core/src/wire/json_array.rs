//! JSON array streams.
