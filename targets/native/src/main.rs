//! The edgeway binary.
fn main() {}
