//! Golden files: what a codec makes of a fixture, kept beside the fixture and compared exactly.
//!
//! A fixture `tests/fixtures/<dialect>/<name>.<form>` has its expectation at `<name>.<form>.golden`.
//! `UPDATE_GOLDEN=1 cargo test` rewrites the expectations; read the diff before committing it.
//! Without that variable a missing expectation fails, so that a new fixture cannot pass unread.
#![allow(clippy::disallowed_methods, reason = "fixtures are files")]
#![allow(dead_code, reason = "each suite uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

/// A recorded or recorded-shape message.
pub(crate) struct Fixture {
    /// Its file name without the form's extension.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// The folder of a dialect's fixtures.
pub(crate) fn folder(dialect: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dialect)
}

/// The fixtures of a dialect whose file names end in `.<form>` (`request.json`, `sse`), by name. Fails if there are none.
pub(crate) fn fixtures(dialect: &str, form: &str) -> Vec<Fixture> {
    let folder = folder(dialect);
    let suffix = format!(".{form}");
    let mut fixtures: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(&suffix)?.to_owned();
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Some(Fixture { name, path, bytes })
        })
        .collect();
    assert!(!fixtures.is_empty(), "no fixture `*{suffix}` in {}", folder.display());
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

/// One fixture of a dialect.
pub(crate) fn fixture(dialect: &str, file: &str) -> Vec<u8> {
    let path = folder(dialect).join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares `actual` with the expectation of `fixture`, or rewrites it.
pub(crate) fn check(fixture: &Fixture, actual: &str) {
    let mut path = fixture.path.clone().into_os_string();
    path.push(".golden");
    let path = PathBuf::from(path);
    let actual = format!("{}\n", actual.trim_end());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run with UPDATE_GOLDEN=1 and read what it writes", path.display()));
    if let Some((line, (want, have))) = (1..).zip(lines(&expected).zip(lines(&actual))).find(|(_, (want, have))| want != have) {
        panic!("{}:{line} differs\n  expected: {want}\n    actual: {have}\n\nwhole:\n{actual}", path.display());
    }
}

/// The lines of a text, then the same end for ever: so that a text that is a prefix of another differs from it.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let count = text.lines().count();
    text.lines().chain(std::iter::repeat("<end>")).take(count.max(1) + 1)
}

/// JSON, indented, keys in the order of the text: what `check` compares line by line.
pub(crate) fn pretty(json: &[u8]) -> String {
    let value: serde_json::Value =
        serde_json::from_slice(json).unwrap_or_else(|error| panic!("not JSON: {error}: {}", String::from_utf8_lossy(json)));
    serde_json::to_string_pretty(&value).expect("a value serialises")
}
