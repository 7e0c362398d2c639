//! A pointer: one small value that is replaced only by who has seen the current one, with its history.
//!
//! Versions count from 1 and never repeat; 0 means that nothing was ever set. What is undone comes back as a new version.
//! A pointer holds names of things (a configuration document's key and hash), not the things.
//!
//! Invariants: of several writers that expect the same version one wins, the others are told what won; a change sent
//! twice under one id happens once; at most [`HISTORY`] versions are kept, the oldest go first.

use std::collections::VecDeque;

use bytes::Bytes;

use super::pack::{Pack, Packer, Unpacker, refused};
use super::{Next, Program, fits};
use crate::error::Result;
use crate::ports::Timestamp;

/// How many versions are kept, the current one among them.
pub const HISTORY: usize = 64;
/// The longest value, in bytes.
pub const VALUE: usize = 1024;
/// The longest note, in bytes.
pub const NOTE: usize = 512;
/// The longest name of who did it, in bytes.
pub const BY: usize = 128;

/// The program.
pub struct Pointer;

/// One version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u64,
    /// What it points at.
    pub value: Bytes,
    /// Who set it.
    pub by: String,
    /// Why.
    pub note: String,
    /// When. Never earlier than the version before.
    pub at: Timestamp,
    /// The change that set it.
    pub id: u64,
}

/// A change's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Random, and the same when the same change is sent again.
    pub id: u64,
    /// The current version, as its author saw it; 0 for none.
    pub expected: u64,
    /// Who, at most [`BY`] bytes.
    pub by: String,
    /// Why, at most [`NOTE`] bytes.
    pub note: String,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Which version is current? Writes nothing. Answered by [`Reply::Current`].
    Current,
    /// Which versions are kept? Writes nothing. Answered by [`Reply::History`].
    History {
        /// The most to tell, newest first.
        limit: u32,
    },
    /// Point at `value`, of at most [`VALUE`] bytes. Answered by [`Reply::Changed`] or [`Reply::Conflict`].
    Set {
        /// By whom and why.
        change: Change,
        /// At what.
        value: Bytes,
    },
    /// Point at what version `to` pointed at. Answered as `Set` is, or by [`Reply::Unknown`].
    Rollback {
        /// By whom and why.
        change: Change,
        /// A version that is still kept.
        to: u64,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The current version; `None` when nothing was ever set.
    Current(Option<Version>),
    /// Versions, newest first.
    History(Vec<Version>),
    /// The change happened, now or when it was sent before: the version that it made.
    Changed(Version),
    /// The change did not happen: somebody else was faster, and this is current.
    Conflict(Option<Version>),
    /// The change did not happen: that version is not kept (any more).
    Unknown,
}

/// What is kept: versions, oldest first. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(VecDeque<Version>);

impl Program for Pointer {
    const NAME: &'static str = "edgeway-pointer";
    type State = State;
    type Command = Command;
    type Reply = Reply;

    fn run(state: Option<State>, command: Command, now: Timestamp) -> Result<(Next<State>, Reply)> {
        let versions = state.map(|state| state.0).unwrap_or_default();
        let (change, value) = match command {
            Command::Current => return Ok((Next::Same, Reply::Current(versions.back().cloned()))),
            Command::History { limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                return Ok((Next::Same, Reply::History(versions.into_iter().rev().take(limit).collect())));
            }
            Command::Set { change, value } => (change, Some(value)),
            Command::Rollback { change, to } => {
                let kept = versions.iter().find(|version| version.number == to);
                (change, kept.map(|version| version.value.clone()))
            }
        };
        if let Some(made) = versions.iter().find(|version| version.id == change.id) {
            return Ok((Next::Same, Reply::Changed(made.clone())));
        }
        let current = versions.back();
        let number = current.map_or(0, |current| current.number);
        if change.expected != number {
            return Ok((Next::Same, Reply::Conflict(current.cloned())));
        }
        let Some(value) = value else { return Ok((Next::Same, Reply::Unknown)) };
        fits("value", value.len(), VALUE)?;
        fits("note", change.note.len(), NOTE)?;
        fits("author's name", change.by.len(), BY)?;
        let number = number.checked_add(1).ok_or_else(|| refused(format_args!("its last version has been used")))?;
        let at = current.map_or(now, |current| current.at.max(now));
        let Change { id, by, note, .. } = change;
        let made = Version { number, value, by, note, at, id };
        Ok((Next::State(push(versions, made.clone())), Reply::Changed(made)))
    }

    fn expires(_: &State) -> Option<Timestamp> {
        None
    }
}

fn push(mut versions: VecDeque<Version>, version: Version) -> State {
    while versions.len() >= HISTORY {
        versions.pop_front();
    }
    versions.push_back(version);
    State(versions)
}

impl Version {
    /// The fewest bytes that a version takes: six numbers or lengths.
    const LEAST: usize = 6;

    fn pack(&self, to: &mut Packer) {
        to.number(self.number);
        to.bytes(&self.value);
        to.bytes(self.by.as_bytes());
        to.bytes(self.note.as_bytes());
        to.moment(self.at);
        to.number(self.id);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(Self {
            number: from.number()?,
            value: from.bytes()?,
            by: from.text()?,
            note: from.text()?,
            at: from.moment()?,
            id: from.number()?,
        })
    }

    fn unpack_all(from: &mut Unpacker<'_>) -> Result<Vec<Self>> {
        (0..from.count(Self::LEAST)?).map(|_| Self::unpack(from)).collect()
    }
}

impl Pack for State {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        to.length(self.0.len());
        self.0.iter().for_each(|version| version.pack(to));
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        let versions = VecDeque::from(Version::unpack_all(from)?);
        let ascending = versions.iter().zip(versions.iter().skip(1)).all(|(a, b)| a.number < b.number && a.at <= b.at);
        match versions.front() {
            Some(first) if first.number > 0 && ascending && versions.len() <= HISTORY => Ok(Self(versions)),
            _ => Err(refused(format_args!("its versions are out of order"))),
        }
    }
}

impl Change {
    fn pack(&self, to: &mut Packer) {
        to.number(self.id);
        to.number(self.expected);
        to.bytes(self.by.as_bytes());
        to.bytes(self.note.as_bytes());
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(Self { id: from.number()?, expected: from.number()?, by: from.text()?, note: from.text()? })
    }
}

impl Pack for Command {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Current => to.byte(0),
            Self::History { limit } => {
                to.byte(1);
                to.number(u64::from(*limit));
            }
            Self::Set { change, value } => {
                to.byte(2);
                change.pack(to);
                to.bytes(value);
            }
            Self::Rollback { change, to: number } => {
                to.byte(3);
                change.pack(to);
                to.number(*number);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Current,
            1 => Self::History { limit: from.number32()? },
            2 => Self::Set { change: Change::unpack(from)?, value: from.bytes()? },
            3 => Self::Rollback { change: Change::unpack(from)?, to: from.number()? },
            other => return Err(refused(format_args!("there is no command {other}"))),
        })
    }
}

impl Pack for Reply {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Current(version) => {
                to.byte(0);
                to.option(version.as_ref(), |to, version| version.pack(to));
            }
            Self::History(versions) => {
                to.byte(1);
                to.length(versions.len());
                versions.iter().for_each(|version| version.pack(to));
            }
            Self::Changed(version) => {
                to.byte(2);
                version.pack(to);
            }
            Self::Conflict(version) => {
                to.byte(3);
                to.option(version.as_ref(), |to, version| version.pack(to));
            }
            Self::Unknown => to.byte(4),
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Current(from.option(Version::unpack)?),
            1 => Self::History(Version::unpack_all(from)?),
            2 => Self::Changed(Version::unpack(from)?),
            3 => Self::Conflict(from.option(Version::unpack)?),
            4 => Self::Unknown,
            other => return Err(refused(format_args!("there is no reply {other}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::step;
    use crate::error::ErrorKind;

    /// A pointer, its state as bytes between commands.
    #[derive(Default)]
    struct Cell(Option<Bytes>);

    impl Cell {
        fn send(&mut self, command: &Command, now: u64) -> Reply {
            let next = step::<Pointer>().step(self.0.as_deref(), &command.to_bytes(), Timestamp(now)).expect("a good command");
            assert_eq!(Command::from_bytes(&command.to_bytes()).expect("its own bytes"), *command);
            self.0 = next.state;
            Reply::from_bytes(&next.reply).expect("its own bytes")
        }

        fn set(&mut self, id: u64, expected: u64, value: &'static str) -> Reply {
            self.send(&Command::Set { change: change(id, expected), value: Bytes::from_static(value.as_bytes()) }, id)
        }
    }

    fn change(id: u64, expected: u64) -> Change {
        Change { id, expected, by: "ada".into(), note: "because".into() }
    }

    fn number(reply: Reply) -> u64 {
        match reply {
            Reply::Changed(version) => version.number,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_two_who_expect_the_same_version_the_second_is_told_what_won() {
        let mut cell = Cell::default();
        assert_eq!(cell.send(&Command::Current, 0), Reply::Current(None));
        assert_eq!(cell.0, None, "a question leaves nothing behind");
        assert_eq!(number(cell.set(1, 0, "a")), 1);
        let Reply::Conflict(Some(current)) = cell.set(2, 0, "b") else { panic!("no conflict") };
        assert_eq!((current.number, &current.value[..]), (1, &b"a"[..]));
        assert_eq!(number(cell.set(3, 1, "b")), 2);
        assert_eq!(cell.set(4, 3, "c"), cell.set(4, 0, "c"), "a version from the future conflicts as well");
    }

    #[test]
    fn a_change_sent_again_is_answered_again_even_after_later_ones() {
        let mut cell = Cell::default();
        let first = cell.set(1, 0, "a");
        assert_eq!(cell.set(1, 0, "a"), first);
        cell.set(2, 1, "b");
        assert_eq!(cell.set(1, 0, "a"), first);
        assert!(matches!(cell.send(&Command::Current, 9), Reply::Current(Some(version)) if version.number == 2));
    }

    #[test]
    fn what_is_rolled_back_to_comes_back_as_a_new_version() {
        let mut cell = Cell::default();
        cell.set(1, 0, "a");
        cell.set(2, 1, "b");
        let Reply::Changed(made) = cell.send(&Command::Rollback { change: change(3, 2), to: 1 }, 3) else { panic!() };
        assert_eq!((made.number, &made.value[..]), (3, &b"a"[..]));
        assert_eq!(cell.send(&Command::Rollback { change: change(4, 3), to: 7 }, 4), Reply::Unknown);
        let stale = Command::Rollback { change: change(5, 2), to: 1 };
        assert!(matches!(cell.send(&stale, 5), Reply::Conflict(Some(version)) if version.number == 3));
    }

    #[test]
    fn history_is_newest_first_and_bounded() {
        let mut cell = Cell::default();
        for version in 0..u64::try_from(HISTORY).unwrap() + 10 {
            cell.set(version + 1, version, "v");
        }
        let Reply::History(all) = cell.send(&Command::History { limit: u32::MAX }, 0) else { panic!() };
        let numbers: Vec<_> = all.iter().map(|version| version.number).collect();
        assert_eq!(numbers, (11..=74).rev().collect::<Vec<_>>());
        let Reply::History(two) = cell.send(&Command::History { limit: 2 }, 0) else { panic!() };
        assert_eq!(two, all[..2]);
    }

    #[test]
    fn time_that_goes_back_stands_still() {
        let mut cell = Cell::default();
        cell.set(100, 0, "a");
        let Reply::Changed(made) = cell.set(50, 1, "b") else { panic!() };
        assert_eq!(made.at, Timestamp(100));
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_largest_state_is_known() {
        let long = |value: usize, note: usize, by: usize, expected: u64| {
            let change = Change { id: u64::MAX - expected, expected, by: "b".repeat(by), note: "n".repeat(note) };
            Command::Set { change, value: vec![0; value].into() }.to_bytes()
        };
        let run = |state: Option<&[u8]>, command: Bytes| step::<Pointer>().step(state, &command, Timestamp(u64::MAX));
        for (value, note, by) in [(VALUE + 1, 0, 0), (0, NOTE + 1, 0), (0, 0, BY + 1)] {
            let refused = run(None, long(value, note, by, 0)).expect_err("too long");
            assert_eq!(refused.kind, ErrorKind::InvalidRequest);
        }
        let mut state = None;
        for expected in 0..100 {
            state = run(state.as_deref(), long(VALUE, NOTE, BY, expected)).expect("as long as may be").state;
        }
        assert!(state.expect("a state").len() < 110_000);
    }
}
