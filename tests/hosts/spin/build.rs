//! Finds the WIT that ships in the `spin-sdk` crate, and writes the call of `bindgen!` that reads it.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=Cargo.lock");
    let cargo = std::env::var_os("CARGO").expect("cargo runs build scripts");
    let output =
        Command::new(cargo).args(["metadata", "--format-version", "1", "--locked"]).output().expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let sdk = packages.iter().find(|package| package["name"] == "spin-sdk").expect("Cargo.toml names spin-sdk");
    let manifest = PathBuf::from(sdk["manifest_path"].as_str().expect("a path"));
    let wit = manifest.with_file_name("wit");
    let call = format!(
        "wasmtime::component::bindgen!({{
            path: {:?},
            inline: \"package edgeway:host; world host {{ import spin:key-value/key-value@3.0.0; import spin:variables/variables@3.0.0; \
                     import spin:sqlite/sqlite@3.1.0; }}\",
            world: \"edgeway:host/host\",
            imports: {{ default: trappable }},
            with: {{
                \"spin:key-value/key-value.store\": crate::spin::kv::Store,
                \"spin:sqlite/sqlite.connection\": crate::spin::sqlite::Connection,
            }},
        }});",
        wit.to_str().expect("a path in UTF-8")
    );
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::write(out.join("bindings.rs"), call).expect("OUT_DIR can be written");
}
