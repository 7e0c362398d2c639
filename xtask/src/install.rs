//! Installs what the tests need and a fresh machine lacks. Does nothing when it is there.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::report::{Broken, Report};
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

/// Installs a folder's locked npm packages, unless the very same are there.
pub(crate) fn npm(report: &mut Report, what: &str, folder: &Path) -> Result<(), Broken> {
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.edgeway-lock.json");
    let same = matches!((std::fs::read(&lock), std::fs::read(&installed)), (Ok(a), Ok(b)) if a == b);
    if same {
        return Ok(());
    }
    let mut install = command("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    install.current_dir(folder);
    report.command(what, install)?;
    report.check(&format!("{what} are pinned"), || {
        std::fs::copy(&lock, &installed).map(|_| String::new()).map_err(|error| error.to_string())
    })
}

/// The server that the shared store is tested with: Debian's, installed where the machine lets us.
pub(crate) fn redis() -> Result<String, String> {
    if runs("redis-server") {
        return Ok(String::new());
    }
    const NEEDED: &str = "the shared store needs redis-server (Debian: redis-server)";
    let get = |arguments: &[&str]| {
        let mut apt = command("apt-get", arguments);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        ask(apt).map_err(|why| format!("{NEEDED}; apt-get: {why}"))
    };
    let install = ["install", "-y", "--no-install-recommends", "redis-server"];
    if get(&install).is_err() {
        get(&["update"])?;
        get(&install)?;
    }
    if runs("redis-server") { Ok("added redis-server".into()) } else { Err(NEEDED.into()) }
}

fn runs(program: &str) -> bool {
    succeeds(program, &["--version"])
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}
