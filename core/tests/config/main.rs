//! Configuration, from the outside: the reference, the answers to mistakes, and whatever a random document does.
#![allow(clippy::disallowed_methods, reason = "fixtures are files")]

mod cases;
mod compile;
mod random;
mod reference;

use std::path::{Path, PathBuf};

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("core lies in the repository").to_path_buf()
}

/// Compares a committed file with what it should say; `UPDATE=1` writes it instead.
fn committed(path: &Path, expected: &str) -> Result<(), String> {
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(path, expected).map_err(|error| format!("{name}: {error}"));
    }
    let found = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    if found.replace("\r\n", "\n") == expected {
        return Ok(());
    }
    let line = found.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
    let show = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
    Err(format!(
        "{name}:{} differs; run `UPDATE=1 cargo test -p edgeway-core --test config` and look at the change\n  committed: {}\n  generated: {}",
        line + 1,
        show(&found),
        show(expected)
    ))
}
