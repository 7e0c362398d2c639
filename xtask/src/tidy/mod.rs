//! Proves the rules that a compiler does not: core's purity and the house style.
//!
//! | rule | where |
//! |---|---|
//! | no runtime in core's dependency tree, on any target | [`tree`] |
//! | no clock, socket, file, environment, thread or print in core's source; house style everywhere | [`sources`] |
//! | core links to wasm that imports nothing | [`wasm`] |
//! | committed lock files name no private registry | [`locks`] |
//! | `cargo fmt --check`, `cargo clippy -- -D warnings` | here |

mod locks;
mod sources;
mod tree;
mod wasm;

use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::{Options, install};

/// Runs every rule; says whether all hold.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("tidy", options);
    let _ = steps(&mut report);
    report.end()
}

/// The rules as steps of a larger chore.
pub(crate) fn steps(report: &mut Report) -> Result<(), Broken> {
    report.check("toolchain", install::toolchain)?;
    report.check("core's dependencies", tree::check)?;
    report.check("sources", sources::check)?;
    report.check("lock files", locks::check)?;
    for target in install::WASM_TARGETS {
        report.check(&format!("core on {target}"), || wasm::check(target))?;
    }
    report.command("rustfmt", cargo(&["fmt", "--all", "--", "--check"]))?;
    report.command("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    // Most of what these crates are exists on their own platforms only.
    let worker = ["-p", "edgeway-cloudflare", "--target", "wasm32-unknown-unknown", "--all-features"];
    report.command("clippy on the Worker", cargo(&[&["clippy", "--quiet"], &worker[..], &["--", "-D", "warnings"]].concat()))?;
    let spin = ["-p", "edgeway-spin", "--target", "wasm32-wasip2", "--all-features"];
    report.command("clippy on Spin", cargo(&[&["clippy", "--quiet"], &spin[..], &["--", "-D", "warnings"]].concat()))?;
    Ok(())
}
