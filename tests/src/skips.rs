//! Which cases a target does not run, and why. One committed file a target: `tests/skips/<target>.toml`.
//!
//! Invariant: a skip can never look like a pass. A case that cannot run and is not listed fails; a listed case
//! that passes, or does not exist, fails too.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// A target's list.
#[derive(Clone, Debug, Default)]
pub struct Skips(BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    /// The case's whole name.
    case: String,
    /// Why this target does not run it.
    reason: String,
}

impl Skips {
    /// The list of a target.
    pub fn load(target: &str) -> Result<Self, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("skips").join(format!("{target}.toml"));
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|wrong| format!("tests/skips/{target}.toml: {wrong}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut skips = BTreeMap::new();
        for Skip { case, reason } in file.skip {
            if reason.is_empty() {
                return Err(format!("{case} has no reason"));
            }
            if skips.insert(case.clone(), reason).is_some() {
                return Err(format!("{case} is listed twice"));
            }
        }
        Ok(Self(skips))
    }

    /// Why a case is skipped, if it is.
    pub fn reason(&self, case: &str) -> Option<&str> {
        self.0.get(case).map(String::as_str)
    }

    /// Listed names that are no case.
    pub fn unknown<'a>(&'a self, exists: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str).filter(move |name| !exists(name))
    }

    /// How many are listed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is skipped.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_needs_a_reason() {
        assert!(Skips::parse("[[skip]]\ncase = 'a'\nreason = ''\n").is_err());
        assert!(Skips::parse("[[skip]]\ncase = 'a'\nreason = 'b'\n[[skip]]\ncase = 'a'\nreason = 'c'\n").is_err());
        let skips = Skips::parse("[[skip]]\ncase = 'a'\nreason = 'b'\n").unwrap();
        assert_eq!((skips.reason("a"), skips.reason("z")), (Some("b"), None));
        assert_eq!(skips.unknown(|_| false).collect::<Vec<_>>(), ["a"]);
    }
}
