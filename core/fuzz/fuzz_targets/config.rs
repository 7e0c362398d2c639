//! Configuration documents: any text gives diagnostics or a configuration, never a panic.
#![no_main]

use edgeway_core::config::{self, Availability};
use libfuzzer_sys::fuzz_target;

fn read(name: &str, text: &str, environment: Vec<(String, String)>) {
    let diagnostics = match config::load(Some((name, text)), environment) {
        Ok(loaded) => {
            let secrets = config::secret_names(&loaded).into_iter().collect();
            let reachable = config::probes(&loaded).into_iter().map(|probe| probe.provider).collect();
            match config::compile(&loaded, &Availability { secrets, reachable, ..Availability::default() }) {
                Ok((_, warnings)) => warnings,
                Err(diagnostics) => {
                    assert!(!diagnostics.is_empty());
                    diagnostics
                }
            }
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty());
            diagnostics
        }
    };
    config::render(&diagnostics);
}

// A line `EDGEWAY...=value` is a variable, the rest is the document.
fuzz_target!(|text: &str| {
    let (variables, document): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("EDGEWAY"));
    let split = |line: &&str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment: Vec<_> = variables.iter().filter_map(split).collect();
    read("edgeway.toml", &document.join("\n"), environment.clone());
    read("edgeway.json", &document.join("\n"), environment);
});
