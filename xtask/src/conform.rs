//! `cargo xtask conform <target>`: the conformance suite against one target.

use crate::Options;
use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::tally;
use crate::target::{self, Launcher, Target};

/// Runs the suite's cases for `name`; a further word is how their names begin.
pub(crate) fn run(name: &str, options: &Options) -> bool {
    let mut report = Report::new("conform", options);
    let words: Vec<&str> = options.words.iter().skip(1).map(String::as_str).collect();
    let _ = match target::find(name) {
        Some(target) => on(&mut report, target, &words),
        None => cases(&mut report, name, &words, None),
    };
    report.end()
}

/// Prepares a target and runs the suite's cases on it; with all of them, what only this target is tried for.
fn on(report: &mut Report, target: &Target, words: &[&str]) -> Result<(), Broken> {
    let launcher = (target.prepare)(report)?;
    cases(report, target.name, words, Some(&launcher))?;
    if words.is_empty() {
        exact(report, target.name, &launcher)?;
        target::own_tests(report, target)?;
    }
    Ok(())
}

/// Limits and budgets under a crowd: what was admitted is counted.
pub(crate) fn exact(report: &mut Report, target: &str, launcher: &Launcher) -> Result<(), Broken> {
    let mut command = cargo(&["test", "--package", "edgeway-tests", "--test", "exact"]);
    command.env("EDGEWAY_LAUNCHER", launcher.variable(target));
    report.tests(&format!("exact limits on {target}"), command, tally::cargo_test)
}

/// Runs the suite's cases for a target: all, or those whose names begin with a word (`passthrough`, `faults/not_json`).
pub(crate) fn cases(report: &mut Report, target: &str, words: &[&str], launcher: Option<&Launcher>) -> Result<(), Broken> {
    let begin = format!("{target}::{}", words.concat());
    let mut command = cargo(&["test", "--package", "edgeway-tests", "--test", "conformance", "--", &begin]);
    if let Some(launcher) = launcher {
        command.env("EDGEWAY_LAUNCHER", launcher.variable(target));
    }
    report.tests(&format!("conformance on {target}"), command, |output| {
        let tally = tally::cargo_test(output)?;
        if tally.counted() { Ok(tally) } else { Err(format!("no case ran: is there a target {target}?")) }
    })
}
