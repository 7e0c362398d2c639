//! Targets: what each needs installed, how it is built, and the launcher that starts it for the suite.
//!
//! | file | target |
//! |---|---|
//! | `native.rs` | the native server, over its embedded store and over Redis |
//! | `lambda.rs` | the Lambda function, behind a Runtime API on this machine |
//! | `cloudflare.rs` | Cloudflare Workers, on workerd |
//! | `spin.rs` | the Spin application, on a host of our own |
//!
//! A launcher behaves like `edgeway serve` whatever the target is (`tests/src/driver/launcher.rs` has the contract).
//! Tools that take minutes to build are kept by version in the user's cache folder, for every checkout.

pub(crate) mod cloudflare;
pub(crate) mod lambda;
pub(crate) mod native;
pub(crate) mod spin;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::report::{Broken, Report};

/// A target that the suite can run on.
pub(crate) struct Target {
    /// Its name, as in `cargo xtask conform <name>`.
    pub(crate) name: &'static str,
    /// Installs what it needs and builds it; gives its launcher.
    pub(crate) prepare: fn(&mut Report) -> Result<Launcher, Broken>,
}

/// Every target, in the order in which a failure tells most. The core itself (`in_process`) needs no launcher.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "native", prepare: native::prepare },
    Target { name: "native_redis", prepare: native::prepare_redis },
    Target { name: "cloudflare", prepare: cloudflare::prepare },
    Target { name: "lambda", prepare: lambda::prepare },
    Target { name: "spin", prepare: spin::prepare },
];

/// The target of that name.
pub(crate) fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// What only this target is tried for, besides the suite's cases.
pub(crate) fn own_tests(report: &mut Report, target: &Target) -> Result<(), Broken> {
    match target.name {
        "cloudflare" => cloudflare::faults(report),
        "lambda" => lambda::faults(report),
        "spin" => spin::faults(report),
        _ => Ok(()),
    }
}

/// How a target's gateway is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launcher {
    /// The program, absolute, and its arguments before `--config FILE`.
    pub(crate) command: Vec<String>,
    /// The same with the port suites built in; empty when there is none.
    pub(crate) suite: Vec<String>,
    /// Bindings besides those of a case.
    pub(crate) environment: Vec<(String, String)>,
    /// Whether a gateway serves many cases, because it starts slowly.
    pub(crate) keep: bool,
    /// What runs for as long as there are gateways.
    #[expect(dead_code, reason = "it is kept for its end, which stops the server")]
    pub(crate) redis: Option<Arc<native::Redis>>,
}

impl Launcher {
    /// What the suite's `EDGEWAY_LAUNCHER` takes.
    pub(crate) fn variable(&self, target: &str) -> String {
        let environment: Value = self.environment.iter().map(|(name, value)| json!([name, value])).collect();
        let launcher = json!({
            "target": target, "command": self.command, "suite": self.suite, "environment": environment, "keep": self.keep,
        });
        launcher.to_string()
    }
}
