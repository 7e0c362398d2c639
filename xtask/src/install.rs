//! Installs what the tests need and a fresh machine lacks. Does nothing when it is there.

use crate::run::{ask, command};

/// The targets for which core is built besides the host.
pub(crate) const WASM_TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip2"];

/// The compiler's wasm targets.
pub(crate) fn wasm_targets() -> Result<String, String> {
    let sysroot = ask(command("rustc", &["--print", "sysroot"]))?;
    let libraries = std::path::Path::new(sysroot.trim()).join("lib/rustlib");
    let missing: Vec<_> = WASM_TARGETS.into_iter().filter(|target| !libraries.join(target).join("lib").is_dir()).collect();
    if missing.is_empty() {
        return Ok(String::new());
    }
    let arguments: Vec<_> = ["target", "add"].into_iter().chain(missing.iter().copied()).collect();
    ask(command("rustup", &arguments))?;
    Ok(format!("added {}", missing.join(", ")))
}
