//! What is wrong with a configuration: where, what, and what to do about it.
//!
//! Everything that reads or checks a document adds to one [`Report`], so an operator sees all of it at once.
//! Invariant: every diagnostic names a path and a way out, and never shows a value that may be a secret.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::layer::Layers;
use super::origin::Origin;
use super::path::Path;
use crate::order;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is refused; the last good one keeps serving.
    Error,
    /// The document is accepted, but probably does not do what was meant.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Where in the document: `routes.chat.targets[0]`. `document` when it is about the whole.
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Which layer said so, and where.
    pub origin: Origin,
}

/// The path of findings about the document as a whole.
pub(super) const DOCUMENT: &str = "document";

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}\n  --> {}\n   = at: {}\n   = help: {}", self.message, self.origin, self.path, self.help)
    }
}

/// Renders diagnostics for a terminal, in order, with a count at the end. Empty for none.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(out, "{diagnostic}\n");
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    if !diagnostics.is_empty() {
        let _ = writeln!(out, "{}, {}", count(errors, "error"), count(diagnostics.len() - errors, "warning"));
    }
    out
}

/// Collects findings about one set of layers.
pub(super) struct Report<'a> {
    layers: &'a Layers,
    found: Vec<Diagnostic>,
    /// Errors and warnings beyond [`MOST`].
    more: (usize, usize),
}

/// How many findings one report keeps: more than anybody reads, and a bound for documents that a program wrote.
const MOST: usize = 200;

impl<'a> Report<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self { layers, found: Vec::new(), more: (0, 0) }
    }

    /// Adds an error; its origin is that of the nearest value on `path` that a layer gives.
    pub(super) fn error(&mut self, path: &Path, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, path, message.into(), help.into());
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, path: &Path, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, path, message.into(), help.into());
    }

    fn push(&mut self, severity: Severity, path: &Path, message: String, help: String) {
        if self.found.len() >= MOST {
            match severity {
                Severity::Error => self.more.0 += 1,
                Severity::Warning => self.more.1 += 1,
            }
            return;
        }
        let origin = self.layers.nearest(path);
        let path = if path.is_root() { DOCUMENT.to_owned() } else { path.to_string() };
        self.found.push(Diagnostic { path, severity, message, help, origin });
    }

    /// The layers that are reported on.
    pub(super) fn layers(&self) -> &'a Layers {
        self.layers
    }

    /// What was found, errors first.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        let more = [(Severity::Error, self.more.0, "errors"), (Severity::Warning, self.more.1, "warnings")];
        for (severity, number, noun) in more.into_iter().filter(|(_, number, _)| *number > 0) {
            found.push(Diagnostic {
                path: DOCUMENT.to_owned(),
                severity,
                message: format!("there are {number} more {noun}"),
                help: "correct these first, then check again".to_owned(),
                origin: self.layers.nearest(&Path::root()),
            });
        }
        order::sort_by_key(&mut found, |diagnostic| diagnostic.severity);
        found
    }
}

/// Whether there is an error among them.
pub(super) fn any_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// The names most like `name`, best first, at most three; for "did you mean".
pub(super) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let folded = fold(name);
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|candidate| {
            let other = fold(candidate);
            let part = folded.len() >= 3 && other.len() >= 3 && (other.contains(&folded) || folded.contains(&other));
            (strsim::jaro_winkler(&folded, &other).max(if part { 0.85 } else { 0.0 }), candidate)
        })
        .filter(|(score, _)| *score >= 0.82)
        .collect();
    order::sort_by(&mut scored, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Letters and digits, lower case: how names are compared when they are not the same.
pub(super) fn fold(name: &str) -> String {
    name.chars().take(128).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `` `a`, `b` or `c` ``.
pub(super) fn alternatives<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// A text of the document, fit for a message: one line, no control characters, not too long.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut out: String = text.chars().take(MOST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_reads_like_a_compilers() {
        let diagnostic = Diagnostic {
            path: "routes.chat.targets[0]".into(),
            severity: Severity::Error,
            message: "there is no provider `opnai`".into(),
            help: "did you mean `openai`?".into(),
            origin: Origin::at("file", "edgeway.toml", 3, 12),
        };
        assert_eq!(
            render(std::slice::from_ref(&diagnostic)),
            "error: there is no provider `opnai`\n  --> edgeway.toml:3:12\n   = at: routes.chat.targets[0]\n   = help: did you mean \
             `openai`?\n\n1 error, 0 warnings\n"
        );
        assert_eq!(
            serde_json::to_value(&diagnostic).expect("a diagnostic is JSON"),
            serde_json::json!({
                "path": "routes.chat.targets[0]", "severity": "error",
                "message": "there is no provider `opnai`", "help": "did you mean `openai`?",
                "origin": {"layer": "file", "source": "edgeway.toml", "line": 3, "column": 12},
            })
        );
    }

    #[test]
    fn the_nearest_names_come_first_and_strangers_not_at_all() {
        assert_eq!(nearest("opnai", ["openai", "anthropic", "groq"]), ["openai"]);
        assert_eq!(nearest("API_KEY", ["key", "headers"]), ["key"]);
        assert!(nearest("zzz", ["openai", "anthropic"]).is_empty());
    }

    #[test]
    fn a_shown_text_has_one_line_and_an_end() {
        assert_eq!(shown("a\nb"), "a\u{fffd}b");
        assert_eq!(shown(&"x".repeat(100)).len(), 63);
    }
}
