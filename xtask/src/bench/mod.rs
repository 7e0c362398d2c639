//! `cargo xtask bench`: what the gateway costs on each target, in the project's own figures.
//!
//! One file a target. A figure is a ratio against a reference of the same run wherever there is one: absolute numbers belong
//! to the machine. `--publish` writes a target's table between its markers in `docs/performance.md`.

mod cloudflare;
mod lambda;
mod load;
pub(crate) mod native;
mod spin;
mod stores;

use crate::{Options, workspace};

/// A target's name, and what measures it.
type Measured = (&'static str, fn(&Options) -> bool);

/// Targets other than native, and the native server's stores, each with figures of its own.
const TARGETS: &[Measured] =
    &[("cloudflare", cloudflare::run), ("stores", stores::run), ("spin", spin::run), ("lambda", lambda::run)];

/// Measures a target, by default the native server; says whether everything ran. Missing a goal is a result, not a failure.
pub(crate) fn run(options: &Options) -> bool {
    let asked = options.words.first().and_then(|word| TARGETS.iter().find(|(name, _)| name == word));
    asked.map_or_else(|| native::run(options), |(_, run)| run(options))
}

/// Where the tables go.
const DOCUMENT: &str = "docs/performance.md";

/// A figure in a table: title, unit, what was measured, its decimals, what is asked for at least, the aim.
type Row = (&'static str, &'static str, f64, usize, &'static str, &'static str);

/// A target's table.
fn table(rows: impl IntoIterator<Item = Row>) -> String {
    let mut out = String::from("| figure | unit | measured | at least | aim |\n|---|---|---|---|---|\n");
    for (title, unit, value, digits, least, aim) in rows {
        out.push_str(&format!("| {title} | {unit} | {value:.digits$} | {least} | {aim} |\n"));
    }
    out
}

/// Writes a table between a target's markers, `<!-- begin figures: TARGET -->` and `<!-- end figures: TARGET -->`.
pub(crate) fn publish(target: &str, table: &str) -> Result<String, String> {
    let path = workspace::root().join(DOCUMENT);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    let replaced = replace(&text, target, table).ok_or(format!("{DOCUMENT} has lost the markers of {target}"))?;
    std::fs::write(&path, replaced).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    Ok(DOCUMENT.into())
}

fn replace(text: &str, target: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin figures: {target} -->"), format!("<!-- end figures: {target} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{table}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_between_its_targets_markers() {
        let text = "a\n<!-- begin figures: x -->\nold\n<!-- end figures: x -->\nb\n";
        let new = "a\n<!-- begin figures: x -->\n\nnew\n\n<!-- end figures: x -->\nb\n";
        assert_eq!(replace(text, "x", "new\n").unwrap(), new);
        assert!(replace(text, "y", "new").is_none());
    }
}
