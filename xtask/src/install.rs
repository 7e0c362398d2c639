//! Installs what the tests need and a fresh machine lacks. Does nothing when it is there.

use std::process::{Command, Stdio};

use crate::run::{ask, command};

/// The targets for which core is built besides the host.
pub(crate) const WASM_TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip2"];

/// The compiler's wasm targets, the formatter and the linter.
pub(crate) fn toolchain() -> Result<String, String> {
    let sysroot = ask(command("rustc", &["--print", "sysroot"]))?;
    let libraries = std::path::Path::new(sysroot.trim()).join("lib/rustlib");
    let targets = WASM_TARGETS.into_iter().filter(|target| !libraries.join(target).join("lib").is_dir());
    let tools = [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")].into_iter().filter(|(tool, _)| !runs(tool));
    let missing: Vec<_> =
        targets.map(|target| ("target", target)).chain(tools.map(|(_, component)| ("component", component))).collect();
    for (kind, name) in &missing {
        ask(command("rustup", &[kind, "add", name]))?;
    }
    let names: Vec<_> = missing.iter().map(|(_, name)| *name).collect();
    Ok(if names.is_empty() { String::new() } else { format!("added {}", names.join(", ")) })
}

/// What the SDK tests run on. Says how to get it, because how is the machine's business.
pub(crate) fn interpreters() -> Result<String, String> {
    let needed = [
        ("python3", &["-m", "venv", "--help"][..], "Python 3.10 or later with venv (Debian: python3-venv)"),
        ("node", &["--version"], "Node.js 20 or later (Debian: nodejs)"),
        ("npm", &["--version"], "npm (Debian: npm)"),
    ];
    let missing: Vec<_> = needed.into_iter().filter(|(program, arguments, _)| !succeeds(program, arguments)).collect();
    if missing.is_empty() {
        return Ok(String::new());
    }
    let what: Vec<_> = missing.into_iter().map(|(.., what)| what).collect();
    Err(format!("the official SDKs need {}", what.join(", and ")))
}

fn runs(program: &str) -> bool {
    succeeds(program, &["--version"])
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}
