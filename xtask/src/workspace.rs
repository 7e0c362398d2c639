//! Where things are: the workspace's root and its files.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root, above this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Where chores keep logs and scratch crates; inside `target`, so never committed.
pub(crate) fn scratch() -> PathBuf {
    target().join("xtask")
}

/// Where tools that take minutes to build are kept, by version, for every checkout.
pub(crate) fn cache() -> PathBuf {
    let given = std::env::var_os("XDG_CACHE_HOME").filter(|given| !given.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    given.or_else(home).unwrap_or_else(|| target().join("cache")).join("edgeway")
}

/// The workspace's target directory.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Every file that is or would be committed, relative to the root, in order.
pub(crate) fn files() -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    let mut files = Vec::new();
    if output.status.success() {
        files.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
        // A file deleted but not yet committed is still listed.
        files.retain(|file| root().join(file).exists());
    } else {
        walk(root(), &mut files); // an unpacked archive has no history
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !matches!(&*name, "target" | ".git" | "node_modules" | ".venv" | "__pycache__") {
                walk(&path, files);
            }
        } else if let Ok(relative) = path.strip_prefix(root()) {
            files.push(relative.to_string_lossy().into_owned());
        }
    }
}
