//! An object: one value that is replaced or removed only by who has seen the current version of it.
//!
//! Versions count from 1. What is removed leaves its number behind for a day ([`TOMBSTONE`]), so that what is made again
//! under the same name goes on from there, and nobody who saw the former one changes the new one by mistake. A value with
//! a time to live takes its versions with it.
//!
//! | expected | a put | a removal |
//! |---|---|---|
//! | [`Expected::Any`] | happens | happens, if there is a value |
//! | [`Expected::Absent`] | happens, if there is no value | never happens |
//! | [`Expected::Present`] | happens, if there is a value | the same |
//! | [`Expected::Version`] | happens, if that is the value's version | the same |
//!
//! Invariants: of several writers that expect the same version one wins, the others are told what won; a change sent
//! again under one id happens once, as long as it is among the last [`RECENT`].

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::pack::{Pack, Packer, Unpacker, refused};
use super::{Next, Program, fits};
use crate::error::Result;
use crate::ports::Timestamp;

/// The longest value, in bytes.
pub const VALUE: usize = 64 << 10;
/// How many changes are remembered by their ids.
pub const RECENT: usize = 16;
/// How long a removed value's number is remembered.
pub const TOMBSTONE: Duration = Duration::from_secs(86_400);

/// The program.
pub struct Object;

/// A value and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u64,
    /// The value.
    pub value: Bytes,
}

/// What a writer has seen. See the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It does not matter.
    Any,
    /// No value.
    Absent,
    /// A value, whichever.
    Present,
    /// The value of this version.
    Version(u64),
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What is the value? Writes nothing. Answered by [`Reply::Value`].
    Get,
    /// Let this be the value, of at most [`VALUE`] bytes. Answered by [`Reply::Changed`] or [`Reply::Conflict`].
    Put {
        /// Random, and the same when the same change is sent again.
        id: u64,
        /// What its author has seen.
        expected: Expected,
        /// The value.
        value: Bytes,
        /// How long it is kept; `None` until it is removed.
        ttl: Option<Duration>,
    },
    /// Let there be no value. Answered as `Put` is.
    Remove {
        /// Random, and the same when the same change is sent again.
        id: u64,
        /// What its author has seen.
        expected: Expected,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The value, if there is one.
    Value(Option<Version>),
    /// The change happened, now or when it was sent before, and has this number.
    Changed(u64),
    /// The change did not happen: this is the value, or there is none.
    Conflict(Option<Version>),
}

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The number of the last change.
    number: u64,
    /// `None` when it was removed.
    value: Option<Bytes>,
    /// When all this stops to exist. A removed value always has such a moment.
    expires: Option<Timestamp>,
    /// The last changes, oldest first: their ids and numbers.
    recent: VecDeque<(u64, u64)>,
}

impl State {
    fn version(&self) -> Option<Version> {
        self.value.clone().map(|value| Version { number: self.number, value })
    }
}

impl Program for Object {
    const NAME: &'static str = "edgeway-object";
    type State = State;
    type Command = Command;
    type Reply = Reply;

    fn run(state: Option<State>, command: Command, now: Timestamp) -> Result<(Next<State>, Reply)> {
        let current = state.as_ref().and_then(State::version);
        let (id, expected, value, expires) = match command {
            Command::Get => return Ok((Next::Same, Reply::Value(current))),
            Command::Put { id, expected, value, ttl } => (id, expected, Some(value), ttl.map(|ttl| now.plus(ttl))),
            Command::Remove { id, expected } => (id, expected, None, Some(now.plus(TOMBSTONE))),
        };
        let State { number, recent, .. } =
            state.unwrap_or(State { number: 0, value: None, expires: None, recent: VecDeque::new() });
        if let Some((_, made)) = recent.iter().find(|(known, _)| *known == id) {
            return Ok((Next::Same, Reply::Changed(*made)));
        }
        let seen = match expected {
            Expected::Any => true,
            Expected::Absent => current.is_none(),
            Expected::Present => current.is_some(),
            Expected::Version(number) => current.as_ref().is_some_and(|current| current.number == number),
        };
        if !seen || (value.is_none() && current.is_none()) {
            return Ok((Next::Same, Reply::Conflict(current)));
        }
        fits("value", value.as_ref().map_or(0, Bytes::len), VALUE)?;
        let number = number.checked_add(1).ok_or_else(|| refused(format_args!("its last version has been used")))?;
        Ok((Next::State(State { number, value, expires, recent: push(recent, id, number) }), Reply::Changed(number)))
    }

    fn expires(state: &State) -> Option<Timestamp> {
        state.expires
    }
}

fn push(mut recent: VecDeque<(u64, u64)>, id: u64, number: u64) -> VecDeque<(u64, u64)> {
    while recent.len() >= RECENT {
        recent.pop_front();
    }
    recent.push_back((id, number));
    recent
}

impl Version {
    fn pack(&self, to: &mut Packer) {
        to.number(self.number);
        to.bytes(&self.value);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(Self { number: from.number()?, value: from.bytes()? })
    }
}

impl Pack for State {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        to.number(self.number);
        to.option(self.value.as_ref(), |to, value| to.bytes(value));
        to.option(self.expires, Packer::moment);
        to.length(self.recent.len());
        for (id, number) in &self.recent {
            to.number(*id);
            to.number(*number);
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        let number = from.number()?;
        let value = from.option(Unpacker::bytes)?;
        let expires = from.option(Unpacker::moment)?;
        let recent = (0..from.count(2)?).map(|_| Ok((from.number()?, from.number()?))).collect::<Result<VecDeque<_>>>()?;
        let fits = value.as_ref().map_or(expires.is_some(), |value| value.len() <= VALUE) && recent.len() <= RECENT;
        let ascending = recent.iter().zip(recent.iter().skip(1)).all(|(a, b)| a.1 < b.1);
        match recent.back() {
            Some((_, last)) if fits && ascending && *last == number => Ok(Self { number, value, expires, recent }),
            _ => Err(refused(format_args!("its changes are out of order, or more than there can be"))),
        }
    }
}

impl Expected {
    fn pack(self, to: &mut Packer) {
        match self {
            Self::Any => to.byte(0),
            Self::Absent => to.byte(1),
            Self::Present => to.byte(2),
            Self::Version(number) => {
                to.byte(3);
                to.number(number);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Any,
            1 => Self::Absent,
            2 => Self::Present,
            3 => Self::Version(from.number()?),
            other => return Err(refused(format_args!("there is no expectation {other}"))),
        })
    }
}

impl Pack for Command {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Get => to.byte(0),
            Self::Put { id, expected, value, ttl } => {
                to.byte(1);
                to.number(*id);
                expected.pack(to);
                to.bytes(value);
                to.option(*ttl, Packer::duration);
            }
            Self::Remove { id, expected } => {
                to.byte(2);
                to.number(*id);
                expected.pack(to);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Get,
            1 => Self::Put {
                id: from.number()?,
                expected: Expected::unpack(from)?,
                value: from.bytes()?,
                ttl: from.option(Unpacker::duration)?,
            },
            2 => Self::Remove { id: from.number()?, expected: Expected::unpack(from)? },
            other => return Err(refused(format_args!("there is no command {other}"))),
        })
    }
}

impl Pack for Reply {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Value(version) => {
                to.byte(0);
                to.option(version.as_ref(), |to, version| version.pack(to));
            }
            Self::Changed(number) => {
                to.byte(1);
                to.number(*number);
            }
            Self::Conflict(version) => {
                to.byte(2);
                to.option(version.as_ref(), |to, version| version.pack(to));
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Value(from.option(Version::unpack)?),
            1 => Self::Changed(from.number()?),
            2 => Self::Conflict(from.option(Version::unpack)?),
            other => return Err(refused(format_args!("there is no reply {other}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::step;
    use crate::error::ErrorKind;

    /// An object, its state as bytes between commands; gone when it has expired.
    #[derive(Default)]
    struct Cell(Option<(Bytes, Option<Timestamp>)>);

    impl Cell {
        fn send(&mut self, command: &Command, now: u64) -> Reply {
            let state = self.0.as_ref().filter(|(_, expires)| expires.is_none_or(|expires| now < expires.0));
            let next = step::<Object>().step(state.map(|(state, _)| &state[..]), &command.to_bytes(), Timestamp(now));
            let next = next.expect("a good command");
            assert_eq!(Command::from_bytes(&command.to_bytes()).expect("its own bytes"), *command);
            self.0 = next.state.map(|state| (state, next.expires));
            Reply::from_bytes(&next.reply).expect("its own bytes")
        }

        fn put(&mut self, id: u64, expected: Expected, value: &'static str) -> Reply {
            self.send(&put(id, expected, value), id)
        }

        fn value(&mut self, now: u64) -> Option<Version> {
            match self.send(&Command::Get, now) {
                Reply::Value(version) => version,
                other => panic!("{other:?}"),
            }
        }
    }

    fn put(id: u64, expected: Expected, value: &'static str) -> Command {
        Command::Put { id, expected, value: Bytes::from_static(value.as_bytes()), ttl: None }
    }

    fn version(number: u64, value: &'static str) -> Option<Version> {
        Some(Version { number, value: Bytes::from_static(value.as_bytes()) })
    }

    #[test]
    fn of_two_who_expect_the_same_the_second_is_told_what_won() {
        let mut cell = Cell::default();
        assert_eq!(cell.value(0), None);
        assert_eq!(cell.0, None, "a question leaves nothing behind");
        assert_eq!(cell.put(1, Expected::Present, "a"), Reply::Conflict(None));
        assert_eq!(cell.put(2, Expected::Version(1), "a"), Reply::Conflict(None));
        assert_eq!(cell.put(3, Expected::Absent, "a"), Reply::Changed(1));
        assert_eq!(cell.put(4, Expected::Absent, "b"), Reply::Conflict(version(1, "a")));
        assert_eq!(cell.put(5, Expected::Version(1), "b"), Reply::Changed(2));
        assert_eq!(cell.put(6, Expected::Version(1), "c"), Reply::Conflict(version(2, "b")));
        assert_eq!(cell.put(7, Expected::Version(3), "c"), Reply::Conflict(version(2, "b")));
        assert_eq!(cell.put(8, Expected::Present, "c"), Reply::Changed(3));
        assert_eq!(cell.put(9, Expected::Any, "d"), Reply::Changed(4));
        assert_eq!(cell.value(9), version(4, "d"));
    }

    #[test]
    fn a_change_sent_again_happens_once_even_after_later_ones() {
        let mut cell = Cell::default();
        assert_eq!(cell.put(1, Expected::Any, "a"), Reply::Changed(1));
        assert_eq!(cell.put(2, Expected::Any, "b"), Reply::Changed(2));
        assert_eq!(cell.put(1, Expected::Any, "a"), Reply::Changed(1));
        assert_eq!(cell.value(3), version(2, "b"));
        let remove = Command::Remove { id: 3, expected: Expected::Version(2) };
        assert_eq!(cell.send(&remove, 3), Reply::Changed(3));
        assert_eq!(cell.put(4, Expected::Absent, "c"), Reply::Changed(4));
        assert_eq!(cell.send(&remove, 5), Reply::Changed(3));
        assert_eq!(cell.value(5), version(4, "c"), "the removal did not happen again");
    }

    #[test]
    fn what_is_made_again_goes_on_where_the_former_one_ended_for_a_day() {
        let mut cell = Cell::default();
        cell.put(1, Expected::Absent, "a");
        cell.put(2, Expected::Version(1), "b");
        assert_eq!(cell.send(&Command::Remove { id: 3, expected: Expected::Any }, 3), Reply::Changed(3));
        assert_eq!(cell.value(4), None);
        assert_eq!(cell.send(&Command::Remove { id: 5, expected: Expected::Any }, 5), Reply::Conflict(None));
        assert_eq!(cell.put(6, Expected::Version(3), "c"), Reply::Conflict(None), "a tombstone is nothing to expect");
        let day = u64::try_from(TOMBSTONE.as_micros()).expect("small");
        assert_eq!(cell.send(&put(7, Expected::Absent, "c"), day + 2), Reply::Changed(4));
        assert_eq!(cell.value(u64::MAX), version(4, "c"), "what was made again stays");
        cell.send(&Command::Remove { id: 8, expected: Expected::Version(4) }, 10);
        assert_eq!(cell.send(&put(9, Expected::Absent, "d"), day + 10), Reply::Changed(1));
    }

    #[test]
    fn a_value_with_a_time_to_live_is_gone_after_it() {
        let mut cell = Cell::default();
        let brief = Command::Put { id: 1, expected: Expected::Absent, value: "a".into(), ttl: Some(Duration::from_micros(10)) };
        assert_eq!(cell.send(&brief, 5), Reply::Changed(1));
        assert_eq!(cell.value(14), version(1, "a"));
        assert_eq!(cell.value(15), None);
        assert_eq!(cell.0, None);
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_largest_state_is_known() {
        let run = |state: Option<&[u8]>, id: u64, length: usize| {
            let put = Command::Put { id, expected: Expected::Any, value: vec![0; length].into(), ttl: Some(Duration::MAX) };
            step::<Object>().step(state, &put.to_bytes(), Timestamp(u64::MAX))
        };
        assert_eq!(run(None, 1, VALUE + 1).expect_err("too long").kind, ErrorKind::InvalidRequest);
        let mut state = None;
        for id in 0..100 {
            state = run(state.as_deref(), u64::MAX - id, VALUE).expect("as long as may be").state;
        }
        assert!(state.expect("a state").len() < VALUE + 300);
    }
}
