//! Every port in memory, for tests and for the pieces of a platform that need no durability.
