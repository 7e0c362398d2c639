//! Mistakes, and what Edgeway says to them: `cases/NAME.toml` (or `.json`) is answered with `cases/NAME.txt`.
//!
//! The first lines of a case say what is around it: `# env NAME=value`, `# secrets A B`, `# reachable ollama`, `# public`,
//! `# hint run vault put NAME`.
//! A JSON case has none.

use std::collections::BTreeSet;
use std::path::Path;

use edgeway_core::config::{self, Availability, Diagnostic};

use crate::{committed, root};

/// Compiles a case; what was found, and whether it was accepted.
fn answer(name: &str, text: &str) -> (Vec<Diagnostic>, bool) {
    let mut environment = Vec::new();
    let mut available = Availability::default();
    for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "env" => {
                let (name, value) = rest.split_once('=').expect("# env NAME=value");
                environment.push((name.to_owned(), value.to_owned()));
            }
            "secrets" => available.secrets = rest.split(' ').map(str::to_owned).collect(),
            "reachable" => available.reachable = rest.split(' ').map(str::to_owned).collect(),
            "public" => available.public = true,
            "hint" => available.hints.secret = rest.to_owned().leak(),
            _ => {}
        }
    }
    let loaded = match config::load(Some((name, text)), environment) {
        Ok(loaded) => loaded,
        Err(found) => return (found, false),
    };
    match config::compile(&loaded, &available) {
        Ok((_, found)) => (found, true),
        Err(found) => (found, false),
    }
}

fn cases() -> Vec<std::path::PathBuf> {
    let folder = root().join("core/tests/config/cases");
    let files = std::fs::read_dir(folder).expect("there are cases").map(|entry| entry.expect("a case").path());
    let mut cases: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "toml" || kind == "json")).collect();
    cases.sort();
    cases
}

fn name(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

#[test]
fn every_mistake_is_answered_as_written() {
    let mut wrong = Vec::new();
    for path in cases() {
        let text = std::fs::read_to_string(&path).expect("a case is text");
        let (found, accepted) = answer(&name(&path), &text);
        let verdict = if accepted { "accepted\n" } else { "refused\n" };
        let said = format!("{verdict}\n{}", config::render(&found));
        wrong.extend(committed(&path.with_extension("txt"), &said).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_answer_has_a_path_a_place_and_a_way_out() {
    let mut seen = BTreeSet::new();
    for path in cases() {
        let text = std::fs::read_to_string(&path).expect("a case is text");
        for diagnostic in answer(&name(&path), &text).0 {
            let whole = format!("{diagnostic}");
            assert!(!diagnostic.path.is_empty() && !diagnostic.help.is_empty() && !diagnostic.message.is_empty(), "{whole}");
            assert!(!diagnostic.message.ends_with('.') && !diagnostic.help.ends_with('.'), "{whole}");
            assert!(!whole.contains("SECRETVALUE"), "{whole}");
            seen.insert(diagnostic.message);
        }
    }
    assert!(seen.len() > 80, "only {} different answers", seen.len());
}

#[test]
fn every_committed_answer_has_its_case() {
    let known: BTreeSet<_> = cases().iter().map(|path| path.with_extension("txt")).collect();
    assert_eq!(known.len(), cases().len(), "two cases share a name");
    for entry in std::fs::read_dir(root().join("core/tests/config/cases")).expect("there are cases") {
        let path = entry.expect("a file").path();
        assert!(path.extension().is_some_and(|kind| kind != "txt") || known.contains(&path), "{} has no case", name(&path));
    }
}
