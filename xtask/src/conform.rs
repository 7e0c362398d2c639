//! `cargo xtask conform <target>`: the conformance suite against one target.

use crate::Options;
use crate::report::Report;
use crate::run::cargo;
use crate::tally;

/// Runs the suite's cases for `target`; further words filter them by name.
pub(crate) fn run(target: &str, options: &Options) -> bool {
    let mut report = Report::new("conform", options);
    let mut arguments = vec!["test", "--package", "edgeway-tests", "--test", "conformance", "--"];
    let prefix = format!("{target}::");
    arguments.push(&prefix);
    arguments.extend(options.words.iter().skip(1).map(String::as_str));
    let _ = report.tests(&format!("conformance on {target}"), cargo(&arguments), |output| {
        let tally = tally::cargo_test(output)?;
        if tally.counted() { Ok(tally) } else { Err(format!("no case ran: is there a target {target}?")) }
    });
    report.end()
}
