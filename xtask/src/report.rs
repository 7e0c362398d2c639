//! The steps of a chore: announced, timed, summed up. The first failure ends the chore.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Options;
use crate::run::{Said, run};
use crate::tally::Tally;

/// A chore's steps so far.
pub(crate) struct Report {
    chore: &'static str,
    started: Instant,
    steps: Vec<Step>,
    json: bool,
    verbose: bool,
}

struct Step {
    name: String,
    elapsed: Duration,
    passed: bool,
    tally: Tally,
}

/// A step failed and said why; the chore ends here.
pub(crate) struct Broken;

impl Report {
    /// Begins a chore.
    pub(crate) fn new(chore: &'static str, options: &Options) -> Self {
        Self { chore, started: Instant::now(), steps: Vec::new(), json: options.json, verbose: options.verbose }
    }

    /// Runs a check of our own: the error is what is wrong, in full.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Result<String, String>) -> Result<(), Broken> {
        let started = begin(name);
        match check() {
            Ok(note) => {
                self.done(name, started, Tally::default(), &note);
                Ok(())
            }
            Err(wrong) => Err(self.broken(name, started, Tally::default(), &wrong)),
        }
    }

    /// Runs a command that must succeed.
    pub(crate) fn command(&mut self, name: &str, command: Command) -> Result<(), Broken> {
        self.tests(name, command, |_| Ok(Tally::default()))
    }

    /// Runs a test runner that must succeed and whose totals `count` reads.
    pub(crate) fn tests(
        &mut self,
        name: &str,
        command: Command,
        count: impl FnOnce(&str) -> Result<Tally, String>,
    ) -> Result<(), Broken> {
        let started = begin(name);
        match run(name, command, self.verbose) {
            Err(wrong) => Err(self.broken(name, started, Tally::default(), &wrong)),
            Ok(said) if !said.success => {
                let tally = count(&said.text).unwrap_or_default();
                Err(self.broken(name, started, tally, &excerpt(&said)))
            }
            Ok(said) => match count(&said.text) {
                Ok(tally) => {
                    let note = tally.note();
                    self.done(name, started, tally, &note);
                    Ok(())
                }
                Err(wrong) => Err(self.broken(name, started, Tally::default(), &format!("{wrong}\n{}", excerpt(&said)))),
            },
        }
    }

    fn done(&mut self, name: &str, started: Instant, tally: Tally, note: &str) {
        let elapsed = started.elapsed();
        println!("  ok  {name} ({:.1} s){}{note}", elapsed.as_secs_f64(), if note.is_empty() { "" } else { ": " });
        self.steps.push(Step { name: name.into(), elapsed, passed: true, tally });
    }

    fn broken(&mut self, name: &str, started: Instant, tally: Tally, wrong: &str) -> Broken {
        let elapsed = started.elapsed();
        println!("FAIL  {name} ({:.1} s)\n{wrong}", elapsed.as_secs_f64());
        self.steps.push(Step { name: name.into(), elapsed, passed: false, tally });
        Broken
    }

    /// Prints the summary and says whether everything passed. Without a single step nothing passed.
    pub(crate) fn end(self) -> bool {
        let passed = !self.steps.is_empty() && self.steps.iter().all(|step| step.passed);
        let width = self.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
        println!("\n{:width$}  {:>8}  {:>7}  {:>7}  result", "step", "seconds", "passed", "failed");
        for step in &self.steps {
            let count = |n: u64| if step.tally.counted() { n.to_string() } else { "-".into() };
            println!(
                "{:width$}  {:>8.1}  {:>7}  {:>7}  {}",
                step.name,
                step.elapsed.as_secs_f64(),
                count(step.tally.passed),
                count(step.tally.failed),
                if step.passed { "ok" } else { "FAILED" },
            );
        }
        println!("{:width$}  {:>8.1}", "all of it", self.started.elapsed().as_secs_f64());

        for line in self.steps.iter().flat_map(|step| step.tally.lines.iter().map(move |line| (step, line))) {
            println!("{}: {}", line.0.name, line.1);
        }
        let total = |count: fn(&Step) -> u64| self.steps.iter().map(count).sum::<u64>();
        // A step that is no test runner counts as one check.
        let good = total(|step| if step.tally.counted() { step.tally.passed } else { u64::from(step.passed) });
        let bad = total(|step| if step.tally.failed > 0 { step.tally.failed } else { u64::from(!step.passed) });
        if self.json {
            let steps: Vec<_> = self
                .steps
                .iter()
                .map(|step| {
                    serde_json::json!({
                        "step": step.name, "seconds": step.elapsed.as_secs_f64(), "ok": step.passed,
                        "passed": step.tally.passed, "failed": step.tally.failed,
                    })
                })
                .collect();
            println!("{}", serde_json::json!({"chore": self.chore, "ok": passed, "passed": good, "failed": bad, "steps": steps}));
        } else {
            println!("{good} passed, {bad} failed");
        }
        passed
    }
}

fn begin(name: &str) -> Instant {
    println!("  ..  {name}");
    let _ = std::io::stdout().flush();
    Instant::now()
}

/// The end of a failing command's output, where the failure usually is, and where to read the rest.
fn excerpt(said: &Said) -> String {
    const LINES: usize = 150;
    let lines: Vec<_> = said.text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    let cut = if from > 0 { format!("[{from} earlier lines are in {}]\n", said.log.display()) } else { String::new() };
    format!("{cut}{}", lines[from..].join("\n"))
}
