//! Builds the configuration in: `edgeway.toml` at the repository's root, or the file that `EDGEWAY_CONFIG_FILE` names
//! (relative to there; empty for none).
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a build script reads files and talks to cargo")]

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=EDGEWAY_CONFIG_FILE");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("edgeway.toml");
    std::fs::write(out, shipped()).expect("the build's folder can be written");
}

fn shipped() -> String {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let named = std::env::var_os("EDGEWAY_CONFIG_FILE");
    if named.as_ref().is_some_and(|name| name.is_empty()) {
        return String::new();
    }
    let file = named.as_ref().map_or_else(|| root.join("edgeway.toml"), |name| root.join(name));
    println!("cargo::rerun-if-changed={}", file.display());
    match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if named.is_some() => panic!("EDGEWAY_CONFIG_FILE: {}: {error}", file.display()),
        Err(_) => String::new(),
    }
}
