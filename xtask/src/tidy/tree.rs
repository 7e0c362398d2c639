//! Core's dependency tree holds no runtime.

use crate::install::WASM_TARGETS;
use crate::run::{ask, cargo};

/// Crates that would let core do what only a port may, and why each is refused.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("tokio", "a runtime"), ("async-std", "a runtime"), ("smol", "a runtime"), ("async-io", "a runtime"),
    ("futures-executor", "a runtime"), ("wasm-bindgen-futures", "a runtime"), ("mio", "sockets"), ("socket2", "sockets"),
    ("hyper", "an HTTP stack"), ("reqwest", "an HTTP stack"), ("ureq", "an HTTP stack"), ("h2", "an HTTP stack"),
    ("rustls", "TLS"), ("native-tls", "TLS"), ("openssl", "TLS"),
    ("worker", "one platform"), ("spin-sdk", "one platform"), ("lambda_runtime", "one platform"),
    ("js-sys", "one platform"), ("web-sys", "one platform"), ("wasm-bindgen", "one platform"), ("wasi", "one platform"),
    ("getrandom", "randomness: use ports::Entropy"), ("rand", "randomness: use ports::Entropy"),
    ("fastrand", "randomness: use ports::Entropy"),
    ("chrono", "a clock: use ports::Clock"), ("time", "a clock: use ports::Clock"), ("web-time", "a clock: use ports::Clock"),
    ("num_cpus", "the machine"), ("rayon", "threads"), ("crossbeam-channel", "threads"),
    ("log", "printing: record an Event"), ("tracing", "printing: record an Event"),
    ("regex", "294 KB of wasm: use regex-lite"), ("jsonschema", "783 KB of wasm"),
];

/// Checks the tree for every target that core is built for.
pub(crate) fn check() -> Result<String, String> {
    let host = "x86_64-unknown-linux-gnu";
    let mut wrong = Vec::new();
    let mut most = 0;
    for target in WASM_TARGETS.into_iter().chain([host]) {
        let tree =
            ask(cargo(&["tree", "-p", "edgeway-core", "-e", "normal", "--target", target, "--prefix", "none", "-f", "{p}"]))?;
        let mut crates: Vec<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        crates.sort_unstable();
        crates.dedup();
        most = most.max(crates.len());
        for (name, why) in REFUSED {
            if crates.contains(name) {
                wrong.push(format!(
                    "core depends on {name} ({why}) on {target}; `cargo tree -p edgeway-core -e normal --target {target} -i {name}` shows through what"
                ));
            }
        }
    }
    if wrong.is_empty() { Ok(format!("{most} crates, no runtime")) } else { Err(wrong.join("\n")) }
}
