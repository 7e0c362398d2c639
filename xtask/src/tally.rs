//! Reads the totals that test runners print. Knows their words, not their tests.
//!
//! Invariant: a runner whose totals are not found is an error, so that a run that tested nothing cannot pass.

/// A runner's totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Tests that the runner left out.
    pub(crate) skipped: u64,
    /// The runner's own words, shown again at the very end.
    pub(crate) lines: Vec<String>,
}

impl Tally {
    /// Whether this step is a runner that counts.
    pub(crate) fn counted(&self) -> bool {
        self.passed + self.failed + self.skipped > 0
    }

    /// For the step's line.
    pub(crate) fn note(&self) -> String {
        match (self.counted(), self.skipped) {
            (false, _) => String::new(),
            (true, 0) => format!("{} passed", self.passed),
            (true, skipped) => format!("{} passed, {skipped} skipped", self.passed),
        }
    }
}

/// `cargo test`: one line a test binary, summed.
pub(crate) fn cargo_test(output: &str) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut binaries = 0;
    for line in output.lines() {
        let Some(result) = line.trim().strip_prefix("test result: ") else { continue };
        binaries += 1;
        tally.passed += before(result, "passed").unwrap_or(0);
        tally.failed += before(result, "failed").unwrap_or(0);
        tally.skipped += before(result, "ignored").unwrap_or(0);
    }
    if binaries == 0 {
        return Err("cargo test printed no result".into());
    }
    tally.lines.push(format!(
        "test result: {} test binaries: {} passed; {} failed; {} ignored",
        binaries, tally.passed, tally.failed, tally.skipped
    ));
    Ok(tally)
}

/// pytest: `== 12 passed, 1 failed in 3.45s ==`.
pub(crate) fn pytest(output: &str) -> Result<Tally, String> {
    let line = output
        .lines()
        .rev()
        .find(|line| line.contains(" in ") && ["passed", "failed", "error"].iter().any(|word| line.contains(word)))
        .ok_or("pytest printed no totals")?;
    let failed = before(line, "failed").unwrap_or(0) + before(line, "error").unwrap_or(0);
    let tally = Tally {
        passed: before(line, "passed").unwrap_or(0),
        failed,
        skipped: before(line, "skipped").unwrap_or(0) + before(line, "xfailed").unwrap_or(0),
        lines: vec![line.trim_matches(['=', ' ']).to_owned()],
    };
    ran_something(tally, "pytest")
}

/// node:test: `# pass 12`, or `ℹ pass 12` on a terminal.
pub(crate) fn node(output: &str) -> Result<Tally, String> {
    let total = |word: &str| {
        output.lines().rev().find_map(|line| {
            let line = line.trim().trim_start_matches(['#', 'ℹ', ' ']);
            line.strip_prefix(word)?.trim().parse::<u64>().ok()
        })
    };
    let tally = Tally {
        passed: total("pass ").ok_or("node --test printed no totals")?,
        failed: total("fail ").unwrap_or(0) + total("cancelled ").unwrap_or(0),
        skipped: total("skipped ").unwrap_or(0) + total("todo ").unwrap_or(0),
        lines: Vec::new(),
    };
    let lines = vec![format!("tests {}, pass {}, fail {}", tally.passed + tally.failed, tally.passed, tally.failed)];
    ran_something(Tally { lines, ..tally }, "node --test")
}

fn ran_something(tally: Tally, runner: &str) -> Result<Tally, String> {
    if tally.counted() { Ok(tally) } else { Err(format!("{runner} ran no test")) }
}

/// The number in front of a word: 12 for `passed` in `12 passed; 0 failed`.
fn before(line: &str, word: &str) -> Option<u64> {
    let words: Vec<_> = line.split(|c: char| c.is_whitespace() || c == ',' || c == ';').filter(|w| !w.is_empty()).collect();
    let at = words.iter().position(|candidate| *candidate == word || candidate.strip_suffix('s') == Some(word))?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_results_are_summed_over_binaries() {
        let output = "test a ... ok\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                      test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        let tally = cargo_test(output).unwrap();
        assert_eq!((tally.passed, tally.failed, tally.skipped), (7, 2, 1));
        assert!(cargo_test("nothing ran").is_err());
    }

    #[test]
    fn pytest_totals_are_read() {
        let tally = pytest("....F\n==== 1 failed, 41 passed, 2 skipped in 3.45s ====\n").unwrap();
        assert_eq!((tally.passed, tally.failed, tally.skipped), (41, 1, 2));
        assert_eq!(tally.lines, ["1 failed, 41 passed, 2 skipped in 3.45s"]);
        assert!(pytest("no tests ran in 0.01s").is_err());
    }

    #[test]
    fn node_totals_are_read() {
        let tally = node("# tests 5\n# suites 0\n# pass 4\n# fail 1\n# cancelled 0\n# skipped 0\n# todo 0\n").unwrap();
        assert_eq!((tally.passed, tally.failed), (4, 1));
        assert!(node("# tests 0\n# pass 0\n# fail 0\n").is_err());
        assert!(node("nothing").is_err());
    }
}
