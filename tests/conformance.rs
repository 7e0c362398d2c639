//! Every case on every target, one test each: `in_process::matrix/text/openai_to_gemini/streamed`; and every check of
//! the port suites inside every target that has them built in: `cloudflare::ports/kv_ttl`.
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

use edgeway_core::ports::suite;
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
        let known = |name: &str| ports().any(|port| port == name) || cases.iter().any(|case| case.name == name);
        if let Some(unknown) = skips.unknown(known).next() {
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
                    let still = move || still_fails(check::run(&*driver, &case), driver.name(), &reason);
                    trials.push(Trial::test(name, still));
                }
            }
        }
        for port in ports().filter(|_| driver.has_port_suites()) {
            let (name, driver) = (format!("{target}::{port}"), driver.clone());
            let check = port.trim_start_matches(PORTS).to_owned();
            match skips.reason(&port).map(str::to_owned) {
                None => trials.push(Trial::test(name, move || driver.check_port(&check).map_err(Failed::from))),
                Some(reason) => {
                    skipped.push(format!("{name}: {reason}"));
                    let still = move || still_fails(driver.check_port(&check), driver.name(), &reason);
                    trials.push(Trial::test(name, still));
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
fn still_fails(result: Result<(), String>, target: &str, reason: &str) -> Result<(), Failed> {
    match result {
        Err(_) => Ok(()),
        Ok(()) => {
            Err(format!("passes although it is skipped because \"{reason}\"; take it off tests/skips/{target}.toml").into())
        }
    }
}

/// Where the checks of the port suites stand among the cases.
const PORTS: &str = "ports/";

fn ports() -> impl Iterator<Item = String> {
    suite::all_names().map(|check| format!("{PORTS}{check}"))
}
