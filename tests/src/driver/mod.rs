//! Runs cases on a target: what a target must offer the suite, and nothing that knows what a case means.
//!
//! A driver is the only part of the suite that a new target writes: start the gateway with a configuration,
//! send it requests, give back what came and what was recorded.

mod in_process;
mod launcher;
mod process;

pub use in_process::InProcess;
pub use launcher::{Folder, Launched, Launcher};
pub use process::Process;

use serde_json::Value;

use crate::case::{Case, Request, Turn};
use crate::script::Seen;

/// A target that can run cases.
pub trait Driver: Send + Sync {
    /// Its name, as in `cargo xtask conform <name>`.
    fn name(&self) -> &str;
    /// Starts a gateway for `case`. The error says why it cannot.
    fn start(&self, case: &Case) -> Result<Box<dyn Running + '_>, String>;
    /// Whether its runtime can run the port suites.
    fn has_port_suites(&self) -> bool {
        false
    }
    /// Runs one check of the port suites inside the target's runtime.
    fn check_port(&self, check: &str) -> Result<(), String> {
        Err(format!("{} has no port suites to run {check}", self.name()))
    }
    /// Ends what it kept running. The error says what went wrong meanwhile.
    fn close(&self) -> Result<(), String> {
        Ok(())
    }
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

/// The drivers of this run: the target that `EDGEWAY_LAUNCHER` describes, else the core itself and the native server.
pub fn all() -> Result<Vec<Box<dyn Driver>>, String> {
    Ok(match Launcher::given() {
        Some(launcher) => vec![Box::new(Process::new(launcher?))],
        None => vec![Box::new(InProcess), Box::new(Process::new(Launcher::native()?))],
    })
}
