//! Every case on every target, one test each: `in_process::matrix/text/openai_to_gemini/streamed`.
//!
//! `cargo test -p edgeway-tests --test conformance -- native::faults` runs some of them.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runner prints and reads its files"
)]

use std::process::ExitCode;
use std::sync::Arc;

use edgeway_tests::case::{self, Case};
use edgeway_tests::skips::Skips;
use edgeway_tests::{check, driver, recorded};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = match case::load() {
        Ok(cases) => cases.into_iter().map(Arc::new).collect::<Vec<_>>(),
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    let mut skipped = Vec::new();
    let drivers: Vec<Arc<dyn driver::Driver>> = match driver::all() {
        Ok(drivers) => drivers.into_iter().map(Arc::from).collect(),
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    for driver in &drivers {
        let target = driver.name();
        let skips = match Skips::load(target) {
            Ok(skips) => skips,
            Err(wrong) => {
                eprintln!("{wrong}");
                return ExitCode::FAILURE;
            }
        };
        if let Some(unknown) = skips.unknown(|name| cases.iter().any(|case| case.name == name)).next() {
            eprintln!("tests/skips/{target}.toml: there is no case {unknown}");
            return ExitCode::FAILURE;
        }
        for case in &cases {
            if !case.targets.is_empty() && !case.targets.iter().any(|name| name == target) {
                continue;
            }
            let name = format!("{target}::{}", case.name);
            let (case, driver) = (case.clone(), driver.clone());
            match skips.reason(&case.name).map(str::to_owned) {
                None => trials.push(Trial::test(name, move || run(&*driver, &case))),
                Some(reason) => {
                    skipped.push(format!("{name}: {reason}"));
                    trials.push(Trial::test(name, move || still_fails(&*driver, &case, &reason)));
                }
            }
        }
    }
    for (name, path) in recorded::files() {
        trials.push(Trial::test(format!("recorded::{name}"), move || recorded::check(&name, &path).map_err(Failed::from)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for driver in &drivers {
        if let Err(wrong) = driver.close() {
            eprintln!("{}: {wrong}", driver.name());
            return ExitCode::FAILURE;
        }
    }
    if !arguments.list {
        for line in &skipped {
            println!("skipped {line}");
        }
        let ran = conclusion.num_passed + conclusion.num_failed;
        println!("conformance: {ran} cases ran, {} of them only to see that their skip is still needed", skipped.len());
    }
    conclusion.exit_code()
}

fn run(driver: &dyn driver::Driver, case: &Case) -> Result<(), Failed> {
    check::run(driver, case).map_err(Failed::from)
}

/// A listed case must fail, or its skip has no reason any more.
fn still_fails(driver: &dyn driver::Driver, case: &Case, reason: &str) -> Result<(), Failed> {
    match check::run(driver, case) {
        Err(_) => Ok(()),
        Ok(()) => {
            Err(format!("passes although it is skipped because \"{reason}\"; take it off tests/skips/{}.toml", driver.name())
                .into())
        }
    }
}
