//! `cargo xtask conform <target>`: the conformance suite against one target.

use crate::Options;
use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::tally;
use crate::target::{self, Launcher, Target};

/// Runs the suite's cases for `name`; further words filter them by name.
pub(crate) fn run(name: &str, options: &Options) -> bool {
    let mut report = Report::new("conform", options);
    let words: Vec<&str> = options.words.iter().skip(1).map(String::as_str).collect();
    let _ = match target::find(name) {
        Some(target) => on(&mut report, target, &words),
        None => cases(&mut report, name, &words, None),
    };
    report.end()
}

/// Prepares a target and runs the suite's cases on it.
fn on(report: &mut Report, target: &Target, words: &[&str]) -> Result<(), Broken> {
    let launcher = (target.prepare)(report)?;
    cases(report, target.name, words, Some(&launcher))
}

/// Runs the suite's cases for a target, all or those whose names contain a word.
pub(crate) fn cases(report: &mut Report, target: &str, words: &[&str], launcher: Option<&Launcher>) -> Result<(), Broken> {
    // One word is all that the runner takes; with a launcher there is only its target to filter.
    let prefix = format!("{target}::");
    let filter = match (words.first(), &launcher) {
        (None, _) => prefix,
        (Some(word), Some(_)) => (*word).to_owned(),
        (Some(word), None) => format!("{prefix}{word}"),
    };
    let mut command = cargo(&["test", "--package", "edgeway-tests", "--test", "conformance", "--", &filter]);
    if let Some(launcher) = launcher {
        command.env("EDGEWAY_LAUNCHER", launcher.variable(target));
    }
    report.tests(&format!("conformance on {target}"), command, |output| {
        let tally = tally::cargo_test(output)?;
        if tally.counted() { Ok(tally) } else { Err(format!("no case ran: is there a target {target}?")) }
    })
}
