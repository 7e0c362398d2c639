//! Events as JSON lines in numbered files, of which the oldest goes when a new one does not fit.
//!
//! Invariant: a line that was kept is whole. The last line of a file may be a piece, left by a crash or a full disk, and was
//! never kept; after either a new file is begun.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::store::backlog::Shelf;

/// When a file is full.
const SEGMENT: u64 = 8 << 20;
/// Files that are kept, the current one included.
const SEGMENTS: usize = 8;

/// A folder of numbered files.
pub(super) struct Journal {
    folder: PathBuf,
    segment: u64,
    segments: usize,
    current: Option<(File, u64)>,
}

impl Journal {
    /// A journal in `folder`.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, segment: SEGMENT, segments: SEGMENTS, current: None })
    }

    /// The numbers of the files, ascending.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let names = std::fs::read_dir(&self.folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut numbers: Vec<u64> = names.filter_map(|name| name.strip_suffix(".jsonl")?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.jsonl"))
    }

    fn begin(&mut self) -> io::Result<(File, u64)> {
        let numbers = self.numbers()?;
        let oldest = (numbers.len() + 1).saturating_sub(self.segments);
        for number in &numbers[..oldest] {
            std::fs::remove_file(self.path(*number))?;
        }
        let number = numbers.last().map_or(1, |last| last + 1);
        let file = OpenOptions::new().append(true).create_new(true).open(self.path(number))?;
        File::open(&self.folder)?.sync_all()?;
        Ok((file, 0))
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let (mut file, length) = match self.current.take() {
            Some((file, length)) if length < self.segment => (file, length),
            _ => self.begin()?,
        };
        file.write_all(lines)?;
        file.sync_data()?;
        self.current = Some((file, length + lines.len() as u64));
        Ok(())
    }
}

impl Shelf for Journal {
    fn keep(&mut self, lines: &[u8]) -> Result<(), String> {
        self.write(lines).map_err(|error| format!("events cannot be written to {}: {error}", self.folder.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::scratch::Folder;

    #[test]
    fn the_oldest_file_goes_when_a_new_one_does_not_fit() {
        let folder = Folder::new();
        let mut journal = Journal { segment: 10, segments: 3, ..Journal::open(folder.path().into()).expect("a folder") };
        for line in 0..10 {
            journal.keep(format!("line {line}.....\n").as_bytes()).expect("kept");
        }
        assert_eq!(journal.numbers().expect("listed"), [8, 9, 10]);
        assert_eq!(std::fs::read_to_string(journal.path(10)).expect("read"), "line 9.....\n");
    }

    #[test]
    fn a_new_start_begins_a_new_file_and_keeps_the_old() {
        let folder = Folder::new();
        for line in ["one\n", "two\n"] {
            Journal::open(folder.path().into()).expect("a folder").keep(line.as_bytes()).expect("kept");
        }
        let journal = Journal::open(folder.path().into()).expect("a folder");
        let texts: Vec<_> =
            journal.numbers().expect("listed").into_iter().map(|n| std::fs::read_to_string(journal.path(n))).collect();
        assert_eq!(texts.into_iter().map(Result::unwrap).collect::<String>(), "one\ntwo\n");
    }
}
