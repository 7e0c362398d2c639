//! The project's chores, run as `cargo xtask <chore>`: one word each, no shell scripts to read.
//!
//! | chore | what it does |
//! |---|---|
//! | `tidy` | proves the rules that a compiler does not: core's purity, house style, formatting, lints |
//! | `test` | installs what the tests need, then runs everything |
//! | `conform` | runs the conformance suite against one target |
//! | `fuzz`, `sdk` | these parts of `test` alone |
//! | `bench` | measures the gateway beside nginx and beside no gateway at all |
//! | `record` | asks a real provider the suite's questions and keeps its answers as fixtures |
//!
//! Invariant: a chore either does all that it names or exits with a failure; nothing is skipped in silence.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "xtask is a tool on a developer's machine: it spawns, reads files and tells the time"
)]

mod bench;
mod conform;
mod fuzz;
mod install;
mod record;
mod report;
mod run;
mod sdk;
mod tally;
mod target;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <chore> [options]

  tidy                 prove the rules: core's purity, wasm builds, house style, rustfmt, clippy
  test [--quick]       install what is needed, then run everything (--quick: without fuzzing and SDKs)
  conform <target>     run the conformance suite against one target (without one: which there are)
      [filter]           only cases whose name begins with this (`bad_input`, `faults/not_json`)
  fuzz                 run every fuzz target for a few seconds
  sdk [target]         run the official SDKs against the gateway, by default the native one
  bench [scenario...]  measure the native gateway beside nginx and no gateway (bench/README.md explains the scenarios)
  bench <target>       measure another target
      --rounds N         how often each is measured (3)
      --publish          write the figures into docs/performance.md
  record <provider>    ask openai, anthropic or gemini the suite's questions; the key is in the provider's usual variable
      --base-url URL     ask there instead
      --model NAME       ask for this model instead
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
    pub(crate) publish: bool,
    pub(crate) rounds: u32,
    pub(crate) base_url: Option<String>,
    pub(crate) model: Option<String>,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(String, Options), String> {
    let mut options = Options {
        words: Vec::new(),
        json: false,
        verbose: false,
        quick: false,
        publish: false,
        rounds: 3,
        base_url: None,
        model: None,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => options.json = true,
            "--verbose" | "-v" => options.verbose = true,
            "--quick" => options.quick = true,
            "--publish" => options.publish = true,
            "--rounds" => {
                let rounds = arguments.next().and_then(|given| given.parse().ok()).filter(|rounds| (1..=100).contains(rounds));
                options.rounds = rounds.ok_or("--rounds needs a number from 1 to 100")?;
            }
            "--model" => options.model = Some(arguments.next().ok_or("--model needs a name")?),
            "--base-url" => options.base_url = Some(arguments.next().ok_or("--base-url needs an address")?),
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
            None => return usage(&format!("conform needs a target: {}", targets())),
        },
        "fuzz" => test::only("fuzz", fuzz::steps, &options),
        "sdk" => sdk::run(&options),
        "bench" => bench::run(&options),
        "record" => match options.words.first() {
            Some(provider) => record::run(provider, &options),
            None => return usage("record needs a provider: openai, anthropic or gemini"),
        },
        "help" => {
            print!("{HELP}");
            true
        }
        unknown => return usage(&format!("there is no chore {unknown}")),
    };
    ExitCode::from(u8::from(!passed))
}

fn targets() -> String {
    let names: Vec<&str> = target::TARGETS.iter().map(|target| target.name).collect();
    format!("in_process, {}", names.join(", "))
}

fn usage(wrong: &str) -> ExitCode {
    eprintln!("xtask: {wrong}\n\n{HELP}");
    ExitCode::from(2)
}
