//! Reads usage from bytes that pass untouched.
