//! Stand-ins for a function's stores: dynalite for DynamoDB, moto for S3 and SQS, each on a free port.

use crate::options::Options;

/// Running stores.
pub(crate) struct Stores;

impl Stores {
    pub(crate) fn start(_options: &Options) -> Result<Self, String> {
        Err("not yet".into())
    }

    pub(crate) fn bindings(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl Drop for Stores {
    fn drop(&mut self) {}
}
