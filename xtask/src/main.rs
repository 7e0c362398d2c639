//! The project's chores, run as `cargo xtask <chore>`: one word each, no shell scripts to read.
//!
//! | chore | what it does |
//! |---|---|
//! | `tidy` | proves the rules that a compiler does not: core's purity, house style, formatting, lints |
//! | `test` | installs what the tests need, then runs everything |
//! | `conform` | runs the conformance suite against one target |
//!
//! Invariant: a chore either does all that it names or exits with a failure; nothing is skipped in silence.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "xtask is a tool on a developer's machine: it spawns, reads files and tells the time"
)]

mod conform;
mod fuzz;
mod install;
mod report;
mod run;
mod sdk;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <chore> [options]

  tidy                 prove the rules: core's purity, wasm builds, house style, rustfmt, clippy
  test [--quick]       install what is needed, then run everything (--quick: without fuzzing and SDKs)
  conform <target>     run the conformance suite against one target: in_process, native
      [filter]           only cases whose name contains this
  help                 print this

  --json               print the summary as one JSON object on the last line (tidy, test)
  --verbose            show the output of every step, not only of the one that fails

Exit codes: 0 everything passed, 1 something failed, 2 the command line is wrong.
";

/// What the command line says, once.
pub(crate) struct Options {
    /// Everything that is not an option, the chore's name left out.
    pub(crate) words: Vec<String>,
    pub(crate) json: bool,
    pub(crate) verbose: bool,
    pub(crate) quick: bool,
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<(String, Options), String> {
    let mut options = Options { words: Vec::new(), json: false, verbose: false, quick: false };
    for argument in arguments {
        match argument.as_str() {
            "--json" => options.json = true,
            "--verbose" | "-v" => options.verbose = true,
            "--quick" => options.quick = true,
            "--help" | "-h" => return Ok(("help".into(), options)),
            unknown if unknown.starts_with('-') => return Err(format!("there is no option {unknown}")),
            _ => options.words.push(argument),
        }
    }
    if options.words.is_empty() {
        return Ok(("help".into(), options));
    }
    let chore = options.words.remove(0);
    Ok((chore, options))
}

fn main() -> ExitCode {
    let (chore, options) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(wrong) => return usage(&wrong),
    };
    let passed = match chore.as_str() {
        "tidy" => tidy::run(&options),
        "test" => test::run(&options),
        "conform" => match options.words.first() {
            Some(target) => conform::run(target, &options),
            None => return usage("conform needs a target: in_process or native"),
        },
        "help" => {
            print!("{HELP}");
            true
        }
        unknown => return usage(&format!("there is no chore {unknown}")),
    };
    ExitCode::from(u8::from(!passed))
}

fn usage(wrong: &str) -> ExitCode {
    eprintln!("xtask: {wrong}\n\n{HELP}");
    ExitCode::from(2)
}
