//! `cargo xtask test`: installs what is needed and runs everything, in the order in which a failure tells most.

use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::{Options, conform, fuzz, install, sdk, tally, target, tidy};

/// Runs everything; says whether all of it passed.
pub(crate) fn run(options: &Options) -> bool {
    let mut report = Report::new("test", options);
    let _ = steps(&mut report, options);
    report.end()
}

/// Runs one part of it.
pub(crate) fn only(chore: &'static str, part: fn(&mut Report) -> Result<(), Broken>, options: &Options) -> bool {
    let mut report = Report::new(chore, options);
    let _ = part(&mut report);
    report.end()
}

fn steps(report: &mut Report, options: &Options) -> Result<(), Broken> {
    tidy::steps(report)?;
    report.command("build", cargo(&["build", "--workspace", "--all-targets", "--quiet"]))?;
    report.check("redis-server", install::redis)?;
    let own = ["test", "--workspace", "--exclude", "edgeway-tests", "--no-fail-fast", "--quiet"];
    report.tests("unit tests and examples", cargo(&own), tally::cargo_test)?;
    let suite = ["test", "--package", "edgeway-tests", "--no-fail-fast", "--quiet"];
    report.tests("conformance", cargo(&suite), tally::cargo_test)?;
    if options.quick {
        return Ok(());
    }
    fuzz::steps(report)?;
    sdk::install(report)?;
    for target in target::TARGETS {
        let launcher = (target.prepare)(report)?;
        // The native server's cases ran with the core's, above.
        let words: &[&str] = if target.name == "native" { &["ports/"] } else { &[] };
        conform::cases(report, target.name, words, Some(&launcher))?;
        if target.name != "native" {
            conform::exact(report, target.name, &launcher)?;
        }
        target::own_tests(report, target)?;
        // Where state is kept makes no difference to a client.
        if target.name != "native_redis" {
            sdk::clients(report, target, &launcher)?;
        }
    }
    Ok(())
}
