//! `cargo xtask test`: installs what is needed and runs everything, in the order in which a failure tells most.

use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::{Options, sdk, tally, tidy, workspace};

/// Runs everything; says whether all of it passed.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("test", options);
    let _ = steps(&mut report, options);
    report.end()
}

fn steps(report: &mut Report, options: &Options) -> Result<(), Broken> {
    tidy::steps(report)?;
    report.command("build", cargo(&["build", "--workspace", "--all-targets", "--quiet"]))?;
    report.tests("unit and conformance tests", cargo(&["test", "--workspace", "--no-fail-fast"]), tally::cargo_test)?;
    if options.quick {
        return Ok(());
    }
    if workspace::root().join("tests/sdk").is_dir() {
        sdk::steps(report)?;
    }
    Ok(())
}
