//! What source files may and may not say: core's purity, and the house style that a reader sees first.
//!
//! Works on text, with comments and string contents blanked, so that a rule can be named in a sentence
//! without breaking it. Test code (`#[cfg(test)]` to the end of a file, files named `tests`) may do
//! what it likes with files and clocks.

use std::sync::LazyLock;

use crate::workspace;

/// Longest file. A flat table or a fixture may be longer if it is listed in [`LONG_FILES`].
const MOST_LINES: usize = 600;

/// Files that may be longer, and why.
const LONG_FILES: &[(&str, &str)] = &[];

/// What core's source may not say, and what to do instead.
#[rustfmt::skip]
const IMPURE: &[(&str, &str)] = &[
    ("Instant::now", "take a Timestamp, or ask ports::Clock"), ("SystemTime", "take a Timestamp, or ask ports::Clock"),
    ("std::env::", "configuration reaches core as a document"), ("env::var", "configuration reaches core as a document"),
    ("std::net::Tcp", "use ports::HttpClient"), ("std::net::Udp", "use ports::HttpClient"),
    ("std::net::ToSocketAddrs", "use ports::HttpClient"), ("std::fs", "use a port"), ("std::process", "core spawns nothing"),
    ("std::thread", "return the work in `after`"), ("thread_local!", "state lives in values or cells"),
    ("println!", "record an Event"), ("eprintln!", "record an Event"), ("print!(", "record an Event"),
    ("eprint!(", "record an Event"), ("dbg!", "remove it"), ("std::io::stdout", "record an Event"),
    ("std::io::stderr", "record an Event"), ("unsafe ", "core forbids it"), ("cfg(target", "core is the same code everywhere"),
    ("cfg!(target", "core is the same code everywhere"), ("#[path", "modules lie where their names say"),
];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "misc", "common", "stuff"];

/// Folders of people's machines.
const HOMES: &[&str] = &["/root/", "/home/", "/Users/", "C:\\Users"];

/// Folders of one machine: people's, and those of the machine that this runs on.
static MACHINE_PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let here = [Some(workspace::root().display().to_string()), std::env::var("HOME").ok()].into_iter().flatten();
    let here = here.map(|folder| format!("{}/", folder.trim_end_matches('/'))).filter(|folder| folder != "/");
    HOMES.iter().map(|&folder| folder.to_owned()).chain(here).collect()
});

/// Checks every file that is or would be committed.
pub(crate) fn check() -> Result<String, String> {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in workspace::files()? {
        let Ok(text) = std::fs::read_to_string(workspace::root().join(&file)) else { continue }; // not text: a fixture
        seen += 1;
        wrong.extend(in_any_file(&file, &text));
        if file.ends_with(".rs") {
            wrong.extend(in_rust(&file, &text));
        }
        if file.ends_with(".rs") && file.starts_with("core/src/") && !is_test_file(&file) {
            wrong.extend(in_core(&file, &text));
        }
    }
    for (file, _) in LONG_FILES {
        let long = std::fs::read_to_string(workspace::root().join(file)).is_ok_and(|text| text.lines().count() > MOST_LINES);
        if !long {
            wrong
                .push(format!("{file}: is listed in LONG_FILES but is not longer than {MOST_LINES} lines; take it off the list"));
        }
    }
    if wrong.is_empty() { Ok(format!("{seen} files")) } else { Err(wrong.join("\n")) }
}

fn in_any_file(file: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let stem = file.rsplit('/').next().unwrap_or(file).split('.').next().unwrap_or_default();
    let folders = file.split('/').rev().skip(1);
    if let Some(name) = folders.chain([stem]).find(|name| EMPTY_NAMES.contains(name)) {
        wrong.push(format!("{file}: `{name}` says nothing; name the file after the noun it holds"));
    }
    if file == "xtask/src/tidy/sources.rs" {
        return wrong; // holds the list itself
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| mentions_path(line, path)) {
            wrong.push(format!("{file}:{}: has a path of one machine ({path})", number + 1));
        }
    }
    wrong
}

/// Whether `line` holds `path` as the beginning of an absolute path, not inside a longer one such as a URL's.
fn mentions_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '~' | '/' | ')'))
    })
}

fn in_rust(file: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//!") && !is_test_file(file) {
        wrong.push(format!("{file}: a module opens with `//!`: what it is for, what it does not do, its invariant"));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES && !LONG_FILES.iter().any(|(long, _)| *long == file) {
        wrong.push(format!(
            "{file}: has {lines} lines, more than {MOST_LINES}; a second reason to change wants a file of its own"
        ));
    }
    wrong
}

fn in_core(file: &str, text: &str) -> Vec<String> {
    let code = blank(text);
    let production = code.find("#[cfg(test)]\nmod ").map_or(code.as_str(), |at| &code[..at]);
    let mut wrong = Vec::new();
    for (number, line) in production.lines().enumerate() {
        for (token, instead) in IMPURE {
            if line.contains(token) {
                wrong.push(format!("{file}:{}: `{}` in core: {instead}", number + 1, token.trim_end_matches(['(', ' '])));
            }
        }
    }
    wrong
}

fn is_test_file(file: &str) -> bool {
    file.split('/').skip(1).any(|part| matches!(part, "tests" | "tests.rs" | "fuzz" | "benches") || part.ends_with("_tests.rs"))
}

/// `text` with the insides of comments, strings and characters replaced by spaces; lines stay where they are.
fn blank(text: &str) -> String {
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        Code,
        Line,
        Block(u32),
        Text,
        Raw(usize),
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut state = In::Code;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (next, step, keep) = match state {
            In::Code if rest.starts_with(b"//") => (In::Line, 2, false),
            In::Code if rest.starts_with(b"/*") => (In::Block(1), 2, false),
            In::Code if rest[0] == b'"' => (In::Text, 1, true),
            In::Code if raw_string(bytes, at).is_some() => {
                let hashes = raw_string(bytes, at).unwrap_or_default();
                (In::Raw(hashes), hashes + 2, true)
            }
            In::Code if rest[0] == b'\'' => (In::Code, character(rest), true),
            In::Code => (In::Code, 1, true),
            In::Line if rest[0] == b'\n' => (In::Code, 1, true),
            In::Line => (In::Line, 1, false),
            In::Block(1) if rest.starts_with(b"*/") => (In::Code, 2, false),
            In::Block(depth) if rest.starts_with(b"*/") => (In::Block(depth - 1), 2, false),
            In::Block(depth) if rest.starts_with(b"/*") => (In::Block(depth + 1), 2, false),
            In::Block(depth) => (In::Block(depth), 1, false),
            In::Text if rest[0] == b'\\' => (In::Text, 2, false),
            In::Text if rest[0] == b'"' => (In::Code, 1, true),
            In::Text => (In::Text, 1, false),
            In::Raw(hashes) if rest[0] == b'"' && rest[1..].iter().take_while(|b| **b == b'#').count() >= hashes => {
                (In::Code, hashes + 1, true)
            }
            In::Raw(hashes) => (In::Raw(hashes), 1, false),
        };
        let end = (at + step).min(bytes.len());
        out.extend(bytes[at..end].iter().map(|b| if keep || *b == b'\n' { *b } else { b' ' }));
        (state, at) = (next, end);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The number of hashes when a raw string begins at `at`: `r"`, `r#"`, `br##"`.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes[at] != b'r' || (at > 0 && (bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'b' || bytes[at - 1] == b'_'))
    {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

/// The length of a character literal, or 1 for a lifetime's tick.
fn character(rest: &[u8]) -> usize {
    match rest {
        [_, b'\\', ..] => rest[2..].iter().skip(1).position(|b| *b == b'\'').map_or(1, |end| end + 4),
        [_, _, b'\'', ..] => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_and_code_is_not() {
        let code = blank("let a = \"std::fs\"; // std::env\nlet r = r#\"println!\"#; /* a /* b */ c */ std::fs::read('\"');\n");
        assert!(code.contains("std::fs::read"), "{code}");
        assert_eq!(code.matches("std::fs").count(), 1, "{code}");
        assert!(!code.contains("println") && !code.contains("std::env"), "{code}");
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn a_clock_in_core_is_found_and_one_in_its_tests_is_not() {
        let wrong = in_core(
            "core/src/a.rs",
            "//! A.\nfn f() { Instant::now(); }\n#[cfg(test)]\nmod tests { fn g() { Instant::now(); } }\n",
        );
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("core/src/a.rs:2: `Instant::now` in core"), "{wrong:?}");
    }

    #[test]
    fn machine_paths_and_empty_names_are_found() {
        assert_eq!(in_any_file("core/src/utils.rs", "").len(), 1);
        assert_eq!(in_any_file("core/src/helpers/a.rs", "").len(), 1);
        assert_eq!(in_any_file("docs/a.md", "see /home/me/x").len(), 1);
        assert!(in_any_file("docs/a.md", "https://example.com/home/page").is_empty());
    }

    #[test]
    fn a_module_without_its_opening_line_is_found() {
        assert_eq!(in_rust("core/src/a.rs", "use x;\n").len(), 1);
        assert_eq!(in_rust("core/src/a.rs", &format!("//! A.\n{}", "\n".repeat(MOST_LINES))).len(), 1);
        assert!(in_rust("core/src/a.rs", "//! A.\n").is_empty());
    }
}
