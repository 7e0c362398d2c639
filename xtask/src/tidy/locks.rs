//! Committed lock files build anywhere: they name no registry but the public default, or none at all.

use crate::workspace;

/// What a lock file's source may be.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks every lock file and list of requirements.
pub(crate) fn check() -> Result<String, String> {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in workspace::files()? {
        let name = file.rsplit('/').next().unwrap_or_default();
        let check: fn(&str) -> Option<String> = match name {
            "Cargo.lock" => cargo,
            "package-lock.json" => npm,
            "requirements.txt" => pip,
            _ => continue,
        };
        seen += 1;
        let text = std::fs::read_to_string(workspace::root().join(&file)).map_err(|error| format!("{file}: {error}"))?;
        wrong.extend(check(&text).map(|problem| format!("{file}: {problem}")));
    }
    if wrong.is_empty() { Ok(format!("{seen} files")) } else { Err(wrong.join("\n")) }
}

fn cargo(text: &str) -> Option<String> {
    let mut sources = text.lines().filter_map(|line| line.strip_prefix("source = "));
    let foreign = sources.find(|source| source.trim_matches('"') != CRATES_IO)?;
    Some(format!("has a package from {foreign}; only crates.io is allowed"))
}

fn npm(text: &str) -> Option<String> {
    text.contains("\"resolved\"").then(|| {
        "names the registry that made it; run `npm install --package-lock-only` where .npmrc says omit-lockfile-registry-resolved=true"
            .into()
    })
}

fn pip(text: &str) -> Option<String> {
    text.lines()
        .find(|line| line.contains("://") || line.starts_with("--index") || line.starts_with("-i "))
        .map(|line| format!("has the line `{line}`; a list of requirements names versions, not places"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_registry_is_found() {
        assert!(cargo("source = \"registry+https://mirror.example/index\"\n").is_some());
        assert!(cargo(&format!("source = \"{CRATES_IO}\"\n")).is_none());
        assert!(npm("{\"resolved\": \"https://mirror.example/a.tgz\"}").is_some());
        assert!(npm("{\"integrity\": \"sha512-x\"}").is_none());
        assert!(pip("--index-url https://mirror.example/simple\nopenai==1\n").is_some());
        assert!(pip("openai==1.0\n").is_none());
    }
}
