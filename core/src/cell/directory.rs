//! A directory: a set of names in order, bounded, each with the minute in which it was last added.
//!
//! Names are what can be listed; what they name is kept elsewhere, so the two can differ for a moment. Whoever makes
//! something adds its name first; whoever finds a name of nothing removes it, but only if it was added some time ago:
//! a younger name may be one whose thing is just being made. Names are removed in no other way, so what exists is always
//! listed.
//!
//! Invariants: names are sorted and there is one of each; at most [`NAMES`] names and [`BYTES`] bytes are kept, and one
//! that would be more is refused; adding a name again only makes it young.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use super::pack::{Pack, Packer, Unpacker, refused};
use super::{Next, Program, fits};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Timestamp;

/// The most names.
pub const NAMES: usize = 4096;
/// The most bytes of names, with [`EACH`] for each name.
pub const BYTES: usize = 64 << 10;
/// What a name takes beside its own bytes, at most.
const EACH: usize = 8;
/// The longest name, in bytes. The shortest has one.
pub const NAME: usize = 128;

/// The program.
pub struct Directory;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Keep a name. Answered by [`Reply::Kept`] or [`Reply::Full`].
    Add {
        /// The name, of 1 to [`NAME`] bytes.
        name: String,
    },
    /// Remove a name that was last added longer than `age` ago. Answered by [`Reply::Gone`] or [`Reply::Kept`].
    Remove {
        /// The name.
        name: String,
        /// How old it has to be, counted in whole minutes.
        age: Duration,
    },
    /// Which names are there? Writes nothing. Answered by [`Reply::Names`].
    List {
        /// Only those behind this one.
        after: Option<String>,
        /// The most to tell.
        limit: u32,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The name is there.
    Kept,
    /// The name is not there.
    Gone,
    /// The name is not there, and there is no room for it.
    Full,
    /// Names, in the order of their bytes.
    Names(Vec<String>),
}

/// What is kept. Never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Names, and in which minute since the Unix epoch each was last added.
    names: BTreeMap<String, u64>,
    /// Invariant: the bytes of all names, with [`EACH`] for each.
    bytes: usize,
}

impl State {
    fn has_room_for(&self, name: &str) -> bool {
        self.names.len() < NAMES && self.bytes + name.len() + EACH <= BYTES
    }

    fn add(&mut self, name: String, minute: u64) {
        let bytes = name.len() + EACH;
        if self.names.insert(name, minute).is_none() {
            self.bytes += bytes;
        }
    }

    fn remove(&mut self, name: &str) {
        if self.names.remove(name).is_some() {
            self.bytes -= name.len() + EACH;
        }
    }
}

fn minute(now: Timestamp) -> u64 {
    now.seconds() / 60
}

impl Program for Directory {
    const NAME: &'static str = "edgeway-directory";
    type State = State;
    type Command = Command;
    type Reply = Reply;

    fn run(state: Option<State>, command: Command, now: Timestamp) -> Result<(Next<State>, Reply)> {
        let mut state = state.unwrap_or_default();
        match command {
            Command::Add { name } => {
                if name.is_empty() {
                    return Err(Error::new(ErrorKind::InvalidRequest, "The name is empty. Send one."));
                }
                fits("name", name.len(), NAME)?;
                // Time that goes back leaves a name as young as it is.
                match state.names.get(&name) {
                    Some(added) if *added >= minute(now) => return Ok((Next::Same, Reply::Kept)),
                    None if !state.has_room_for(&name) => return Ok((Next::Same, Reply::Full)),
                    _ => state.add(name, minute(now)),
                }
                Ok((Next::State(state), Reply::Kept))
            }
            Command::Remove { name, age } => {
                let Some(added) = state.names.get(&name) else { return Ok((Next::Same, Reply::Gone)) };
                // Both ends of the time are cut to minutes, so a name that seems `age` old may still be younger.
                if minute(now).saturating_sub(*added) <= age.as_secs().div_ceil(60) {
                    return Ok((Next::Same, Reply::Kept));
                }
                state.remove(&name);
                Ok((if state.names.is_empty() { Next::Nothing } else { Next::State(state) }, Reply::Gone))
            }
            Command::List { after, limit } => {
                let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let names = state.names.range::<str, _>((from, Bound::Unbounded)).take(limit);
                Ok((Next::Same, Reply::Names(names.map(|(name, _)| name.clone()).collect())))
            }
        }
    }

    fn expires(_: &State) -> Option<Timestamp> {
        None
    }
}

impl Pack for State {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        to.length(self.names.len());
        for (name, added) in &self.names {
            to.bytes(name.as_bytes());
            to.number(*added);
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        let mut state = Self::default();
        for _ in 0..from.count(2)? {
            let (name, added) = (from.text()?, from.number()?);
            let ascending = state.names.last_key_value().is_none_or(|(last, _)| *last < name);
            let possible = ascending && !name.is_empty() && name.len() <= NAME && added <= minute(Timestamp(u64::MAX));
            if !possible || !state.has_room_for(&name) {
                return Err(refused(format_args!("its names are out of order, or more than there can be")));
            }
            state.add(name, added);
        }
        if state.names.is_empty() { Err(refused(format_args!("it has no names"))) } else { Ok(state) }
    }
}

impl Pack for Command {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Add { name } => {
                to.byte(0);
                to.bytes(name.as_bytes());
            }
            Self::Remove { name, age } => {
                to.byte(1);
                to.bytes(name.as_bytes());
                to.duration(*age);
            }
            Self::List { after, limit } => {
                to.byte(2);
                to.option(after.as_ref(), |to, after| to.bytes(after.as_bytes()));
                to.number(u64::from(*limit));
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Add { name: from.text()? },
            1 => Self::Remove { name: from.text()?, age: from.duration()? },
            2 => Self::List { after: from.option(Unpacker::text)?, limit: from.number32()? },
            other => return Err(refused(format_args!("there is no command {other}"))),
        })
    }
}

impl Pack for Reply {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Kept => to.byte(0),
            Self::Gone => to.byte(1),
            Self::Full => to.byte(2),
            Self::Names(names) => {
                to.byte(3);
                to.length(names.len());
                names.iter().for_each(|name| to.bytes(name.as_bytes()));
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Kept,
            1 => Self::Gone,
            2 => Self::Full,
            3 => Self::Names((0..from.count(1)?).map(|_| from.text()).collect::<Result<_>>()?),
            other => return Err(refused(format_args!("there is no reply {other}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::cell::step;

    const AGE: Duration = Duration::from_secs(300);

    /// A directory, its state as bytes between commands, and the minute that it is.
    #[derive(Default)]
    struct Cell(Option<Bytes>, u64);

    impl Cell {
        fn send(&mut self, command: &Command) -> Reply {
            let now = Timestamp(self.1 * 60_000_000);
            let next = step::<Directory>().step(self.0.as_deref(), &command.to_bytes(), now).expect("a good command");
            assert_eq!(Command::from_bytes(&command.to_bytes()).expect("its own bytes"), *command);
            self.0 = next.state;
            Reply::from_bytes(&next.reply).expect("its own bytes")
        }

        fn add(&mut self, name: &str) -> Reply {
            self.send(&Command::Add { name: name.into() })
        }

        fn remove(&mut self, name: &str) -> Reply {
            self.send(&Command::Remove { name: name.into(), age: AGE })
        }

        fn list(&mut self, after: Option<&str>, limit: u32) -> Vec<String> {
            match self.send(&Command::List { after: after.map(str::to_owned), limit }) {
                Reply::Names(names) => names,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn names_are_listed_in_order_and_in_pages() {
        let mut cell = Cell::default();
        assert_eq!(cell.list(None, 10), [""; 0]);
        assert_eq!(cell.0, None, "a question leaves nothing behind");
        for name in ["c", "a", "b", "a", "ab"] {
            assert_eq!(cell.add(name), Reply::Kept);
        }
        assert_eq!(cell.list(None, 10), ["a", "ab", "b", "c"]);
        assert_eq!(cell.list(None, 2), ["a", "ab"]);
        assert_eq!(cell.list(Some("ab"), 2), ["b", "c"]);
        assert_eq!(cell.list(Some("aa"), 1), ["ab"], "it goes on behind a name that is not there");
        assert_eq!(cell.list(Some("c"), 2), [""; 0]);
    }

    #[test]
    fn a_young_name_is_not_removed_and_adding_makes_it_young_again() {
        let mut cell = Cell(None, 100);
        cell.add("a");
        cell.1 = 105;
        assert_eq!(cell.remove("a"), Reply::Kept, "it may be four minutes and a second old");
        cell.1 = 106;
        cell.add("a");
        assert_eq!(cell.remove("a"), Reply::Kept);
        cell.1 = 50;
        cell.add("a");
        cell.1 = 111;
        assert_eq!(cell.remove("a"), Reply::Kept, "time that went back has not made it older");
        cell.1 = 112;
        assert_eq!(cell.remove("a"), Reply::Gone);
        assert_eq!(cell.remove("a"), Reply::Gone);
        assert_eq!(cell.0, None, "an empty directory is none");
    }

    #[test]
    fn a_full_directory_refuses_names_and_keeps_what_it_has() {
        let mut cell = Cell(None, u64::MAX / 60_000_000);
        let mut state = State::default();
        (1..NAMES).for_each(|number| state.add(format!("{number:04}"), u64::MAX / 60_000_000));
        cell.0 = Some(state.to_bytes());
        assert_eq!(cell.add("0000"), Reply::Kept);
        assert_eq!(cell.add("x"), Reply::Full);
        assert_eq!(cell.add("0000"), Reply::Kept, "it is there already");
        assert_eq!(cell.list(None, u32::MAX).len(), NAMES);
        let mut long = Cell(None, u64::MAX / 60_000_000);
        let most = BYTES / (NAME + EACH);
        for number in 0..most {
            assert_eq!(long.add(&format!("{number:0NAME$}")), Reply::Kept);
        }
        assert_eq!(long.add(&"x".repeat(NAME)), Reply::Full);
        for cell in [cell, long] {
            assert!(cell.0.expect("a state").len() < BYTES + 4);
        }
    }

    #[test]
    fn a_state_with_a_minute_that_never_comes_is_refused() {
        let state = |minute| {
            let mut state = State::default();
            state.add("a".into(), minute);
            State::from_bytes(&state.to_bytes())
        };
        assert!(state(u64::MAX / 60_000_000).is_ok() && state(u64::MAX / 60_000_000 + 1).is_err(), "so states stay small");
    }

    #[test]
    fn a_name_has_at_least_a_byte_and_is_not_too_long() {
        for name in [String::new(), "x".repeat(NAME + 1)] {
            let refused = step::<Directory>().step(None, &Command::Add { name }.to_bytes(), Timestamp(0));
            assert_eq!(refused.expect_err("no name").kind, ErrorKind::InvalidRequest);
        }
    }
}
