//! What requests took: their records, as every platform logs them.

pub mod line;
