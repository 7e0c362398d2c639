//! Core links to WebAssembly, and what it asks of its host is known.
//!
//! A probe crate links the whole of core (every codec, the gateway's walk) into a `cdylib` and its import section is read.
//! On `wasm32-unknown-unknown` it must be empty: whatever core needs comes through its ports. On
//! `wasm32-wasip2` the standard library itself imports a little; sockets, files, clocks and randomness stay refused.

use std::path::Path;

use crate::run::{cargo, run};
use crate::workspace;

const MANIFEST: &str = r#"[package]
name = "edgeway-wasm-probe"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
edgeway-core = { path = "CORE" }
http = "1"

[profile.dev]
debug = false
panic = "abort"

[workspace]
"#;

/// Reaches everything through the two ends that adapters use: the codecs' table and the gateway.
const SOURCE: &str = r#"//! Links core, so that its imports can be read.
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

use edgeway_core::chat::{ChatResponse, Warnings};
use edgeway_core::dialect::{DialectId, Reply, RequestHead};
use edgeway_core::{Gateway, config, exchange::Inbound};

#[unsafe(no_mangle)]
pub extern "C" fn probe(seed: u32) -> u32 {
    let body = seed.to_le_bytes();
    let headers = http::HeaderMap::new();
    let mut reached = 0;
    for dialect in DialectId::ALL {
        let codec = dialect.codec();
        let head = RequestHead { model: None, stream: None, headers: &headers };
        reached += codec.decode_request(head, &body).is_ok() as u32;
        reached += codec.decode_response(&body).is_ok() as u32;
        reached += codec.encode_response(&ChatResponse::default(), &Reply::default(), &mut Warnings::default()).len() as u32;
    }
    let document = String::from_utf8_lossy(&body);
    if let Ok(loaded) = config::load(Some(("edgeway.toml", &document)), []) {
        reached += config::compile(&loaded, &config::Availability::default()).is_ok() as u32;
    }
    reached + walk as *const () as usize as u32
}

/// The whole walk is linked because its address is taken.
fn walk(gateway: &Arc<Gateway>, inbound: Inbound) {
    let handled = gateway.handle(inbound);
    for future in [Box::pin(async { drop(handled.response.await) }) as std::pin::Pin<Box<dyn Future<Output = ()>>>, handled.after] {
        drop(std::pin::pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())));
    }
}
"#;

/// Modules that the standard library imports on wasm32-wasip2 whatever a crate does: panics, exits, and the seed of
/// its hash maps (which `http::HeaderMap` has too).
const STANDARD_ON_WASI: &[&str] = &["wasi:cli/", "wasi:io/", "wasi:random/insecure-seed@"];

/// Builds the probe for `target` and reads its imports.
pub(crate) fn check(target: &str) -> Result<String, String> {
    let folder = workspace::scratch().join("probe");
    let wasm = build(&folder, target)?;
    let bytes = std::fs::read(&wasm).map_err(|error| format!("{}: {error}", wasm.display()))?;
    let imports = imports(&bytes)?;
    let allowed = |module: &str| target == "wasm32-wasip2" && STANDARD_ON_WASI.iter().any(|prefix| module.starts_with(prefix));
    let foreign: Vec<_> = imports.iter().filter(|(module, _)| !allowed(module)).map(|(m, n)| format!("{m}::{n}")).collect();
    if !foreign.is_empty() {
        return Err(format!("core's wasm imports what its host does not promise: {}", foreign.join(", ")));
    }
    Ok(format!("{} imports", imports.len()))
}

fn build(folder: &Path, target: &str) -> Result<std::path::PathBuf, String> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it lies in the folder"))
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    let core = workspace::root().join("core");
    write("Cargo.toml", &MANIFEST.replace("CORE", &core.to_string_lossy()))?;
    write("src/lib.rs", SOURCE)?;
    // The same versions as the workspace's; cargo drops what the probe does not need.
    std::fs::copy(workspace::root().join("Cargo.lock"), folder.join("Cargo.lock"))
        .map_err(|error| format!("Cargo.lock: {error}"))?;
    let mut command = cargo(&["build", "--quiet", "--target", target]);
    let output = workspace::target().join("probe");
    command.current_dir(folder).env("CARGO_TARGET_DIR", &output);
    let said = run(&format!("core on {target}"), command, false)?;
    if !said.success {
        return Err(said.text);
    }
    Ok(output.join(target).join("debug/edgeway_wasm_probe.wasm"))
}

/// Imports of a core module, or of all core modules inside a component, as (module, name). Those that the
/// modules of a component take from each other are left out.
fn imports(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut reader = Reader(bytes);
    let component = match reader.take(8)? {
        [0, b'a', b's', b'm', 1, 0, 0, 0] => false,
        [0, b'a', b's', b'm', _, _, 1, 0] => true,
        other => return Err(format!("not WebAssembly: {other:02x?}")),
    };
    let mut found = Vec::new();
    while !reader.0.is_empty() {
        let section = reader.byte()?;
        let length = reader.number()?;
        let mut content = Reader(reader.take(length)?);
        match (component, section) {
            (true, 1) => found.extend(imports(content.0)?.into_iter().filter(|(module, _)| module.contains(':'))),
            (false, 2) => {
                for _ in 0..content.number()? {
                    found.push((content.name()?, content.name()?));
                    content.import_type()?;
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Reads the binary format (WebAssembly core specification, section 5).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (head, tail) = self.0.split_at_checked(length).ok_or("the wasm file is cut")?;
        self.0 = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// LEB128, unsigned.
    fn number(&mut self) -> Result<usize, String> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|error| error.to_string());
            }
            if shift > 56 {
                return Err("a number in the wasm file is too long".into());
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        let length = self.number()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn limits(&mut self) -> Result<(), String> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 == 1 {
            self.number()?;
        }
        Ok(())
    }

    fn import_type(&mut self) -> Result<(), String> {
        match self.byte()? {
            0 => self.number().map(drop), // function: its type's index
            1 => self.byte().and_then(|_| self.limits()),
            2 => self.limits(),
            3 => self.take(2).map(drop),
            4 => self.byte().and_then(|_| self.number().map(drop)),
            other => Err(format!("an import of unknown kind {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_a_module_are_read() {
        let module = [
            &b"\0asm\x01\0\0\0"[..],
            &[1, 4, 1, 0x60, 0, 0],                                         // one type
            &[2, 14, 2, 1, b'a', 1, b'f', 0, 0, 1, b'b', 1, b'm', 2, 0, 1], // a function and a memory
        ]
        .concat();
        let mut fixed = module.clone();
        let at = 8 + 6 + 1;
        fixed[at] = u8::try_from(module.len() - at - 1).unwrap();
        assert_eq!(imports(&fixed).unwrap(), [("a".into(), "f".into()), ("b".into(), "m".into())]);
    }

    #[test]
    fn a_cut_file_is_refused() {
        assert!(imports(b"\0asm\x01\0\0\0\x02\x10").is_err());
        assert!(imports(b"#!/bin/sh").is_err());
    }
}
