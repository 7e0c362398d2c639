//! Runs cases on a target: what a target must offer the suite, and nothing that knows what a case means.
//!
//! A driver is the only part of the suite that a new target writes: start the gateway with a configuration,
//! send it requests, give back what came and what was recorded.

mod in_process;
mod native;
mod record;

pub use in_process::InProcess;
pub use native::Native;

use serde_json::Value;

use crate::case::{Case, Request, Turn};
use crate::script::Seen;

/// A target that can run cases.
pub trait Driver: Send + Sync {
    /// Its name, as in `cargo xtask conform <name>`.
    fn name(&self) -> &'static str;
    /// Starts a gateway for `case`. The error says why it cannot.
    fn start(&self, case: &Case) -> Result<Box<dyn Running>, String>;
}

/// A gateway that runs.
pub trait Running {
    /// Scripts the providers' answers of a turn, sends its request and gives what came of it.
    fn turn(&mut self, turn: &Turn, request: &Request) -> Result<Observed, String>;
    /// Ends the gateway properly and gives what it recorded besides. The error says how it ended badly.
    fn finish(self: Box<Self>) -> Result<Vec<Value>, String>;
}

/// What came of a turn.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Status of the response.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
    /// Why its body did not reach its proper end, if it did not.
    pub broken: Option<String>,
    /// What the providers were asked in this turn.
    pub asked: Vec<Seen>,
    /// What the gateway recorded of this turn.
    pub records: Vec<Value>,
}

/// Every driver.
pub fn all() -> Vec<Box<dyn Driver>> {
    vec![Box::new(InProcess), Box::new(Native::default())]
}
