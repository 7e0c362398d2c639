//! A chain: entries of which each names the one before by its hash, so that none can be changed, dropped or slipped in
//! without all later hashes telling.
//!
//! An entry is kept whole until somebody says that it is stored elsewhere; [`KEPT`] entries can wait for that, and the next
//! one is refused, since what cannot be kept must not be promised. Of the last [`KEPT`] entries the hashes stay.
//!
//! | part of a [`link`] | bytes |
//! |---|---|
//! | the hash of the entry before; zeros for the first | 32 |
//! | the entry's number, from 1 | 8, big endian |
//! | when, in microseconds since the Unix epoch | 8, big endian |
//! | the entry | as it was given |
//!
//! Invariants: numbers have no gaps; time never goes back from one entry to the next; an entry sent again under one id is
//! there once, as long as it is among the last [`KEPT`].

use std::collections::VecDeque;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::pack::{Pack, Packer, Unpacker, refused};
use super::{Next, Program, fits};
use crate::error::Result;
use crate::ports::Timestamp;

/// How many entries can wait to be stored, and of how many the hashes stay.
pub const KEPT: usize = 64;
/// The longest entry, in bytes.
pub const ENTRY: usize = 1536;

/// A SHA-256.
pub type Hash = [u8; 32];

/// The program.
pub struct Chain;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Where does the chain end, and what waits to be stored? Writes nothing. Answered by [`Reply::End`].
    Look,
    /// Append an entry. Answered by [`Reply::Appended`] or [`Reply::Full`].
    Append {
        /// Random, and the same when the same entry is sent again.
        id: u64,
        /// The entry, of at most [`ENTRY`] bytes.
        entry: Bytes,
    },
    /// All entries up to this number are stored elsewhere. Answered by [`Reply::End`].
    Stored {
        /// The number. One that is past the end counts as the end.
        up_to: u64,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The chain's end.
    End(End),
    /// The entry is in the chain, now or since it was sent before.
    Appended {
        /// The entry.
        link: Link,
        /// Which chain it is: see [`End::chain`].
        chain: u64,
        /// How many entries wait to be stored.
        waiting: u32,
    },
    /// The entry is not in the chain: [`KEPT`] entries wait to be stored.
    Full,
}

/// The end of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Which chain it is: the id of its first entry. 0 when there is none.
    pub chain: u64,
    /// The last entry's number; 0 when there is none.
    pub number: u64,
    /// The last entry's hash; zeros when there is none.
    pub hash: Hash,
    /// Up to which number entries are stored elsewhere.
    pub stored: u64,
    /// When that was said last.
    pub stored_at: Timestamp,
    /// Those that wait to be stored, oldest first: all behind `stored`.
    pub waiting: Vec<Link>,
}

/// An entry in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1.
    pub number: u64,
    /// When it was appended. Never earlier than the entry before.
    pub at: Timestamp,
    /// The hash of the entry before.
    pub previous: Hash,
    /// Its own.
    pub hash: Hash,
    /// The entry. Empty where it is not asked for.
    pub entry: Bytes,
}

/// The hash of an entry: see the module's table.
pub fn link(previous: &Hash, number: u64, at: Timestamp, entry: &[u8]) -> Hash {
    let parts = [&previous[..], &number.to_be_bytes(), &at.0.to_be_bytes(), entry];
    parts.into_iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

/// What is kept. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    chain: u64,
    /// The hash of the entry before the oldest one that is kept.
    before: Hash,
    stored: u64,
    stored_at: Timestamp,
    /// The number of the oldest one that is kept.
    first: u64,
    /// Oldest first.
    kept: VecDeque<Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    id: u64,
    at: Timestamp,
    hash: Hash,
    /// Empty once it is stored.
    entry: Bytes,
}

impl State {
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64 - 1
    }

    fn waiting(&self) -> usize {
        usize::try_from(self.end() - self.stored).unwrap_or(usize::MAX)
    }

    fn link(&self, index: usize) -> Link {
        let kept = &self.kept[index];
        let previous = index.checked_sub(1).map_or(self.before, |before| self.kept[before].hash);
        Link { number: self.first + index as u64, at: kept.at, previous, hash: kept.hash, entry: kept.entry.clone() }
    }

    fn look(&self) -> Reply {
        let last = self.kept.len() - 1;
        Reply::End(End {
            chain: self.chain,
            number: self.end(),
            hash: self.kept[last].hash,
            stored: self.stored,
            stored_at: self.stored_at,
            waiting: (self.kept.len() - self.waiting()..=last).map(|index| self.link(index)).collect(),
        })
    }

    fn appended(&self, index: usize) -> Reply {
        let link = Link { entry: Bytes::new(), ..self.link(index) };
        Reply::Appended { link, chain: self.chain, waiting: u32::try_from(self.waiting()).unwrap_or(u32::MAX) }
    }

    fn store(&mut self, up_to: u64, now: Timestamp) {
        self.stored = up_to.min(self.end());
        self.stored_at = self.stored_at.max(now);
        let first = self.first;
        for (number, kept) in (first..).zip(&mut self.kept) {
            if number <= self.stored {
                kept.entry = Bytes::new();
            }
        }
    }
}

impl Program for Chain {
    const NAME: &'static str = "edgeway-chain";
    type State = State;
    type Command = Command;
    type Reply = Reply;

    fn run(state: Option<State>, command: Command, now: Timestamp) -> Result<(Next<State>, Reply)> {
        match (state, command) {
            (None, Command::Look | Command::Stored { .. }) => Ok((Next::Same, Reply::End(End::default()))),
            (Some(state), Command::Look) => Ok((Next::Same, state.look())),
            (Some(state), Command::Stored { up_to }) if up_to <= state.stored => Ok((Next::Same, state.look())),
            (Some(mut state), Command::Stored { up_to }) => {
                state.store(up_to, now);
                let reply = state.look();
                Ok((Next::State(state), reply))
            }
            (state, Command::Append { id, entry }) => append(state, id, entry, now),
        }
    }

    fn expires(_: &State) -> Option<Timestamp> {
        None
    }
}

fn append(state: Option<State>, id: u64, entry: Bytes, now: Timestamp) -> Result<(Next<State>, Reply)> {
    let mut state = state.unwrap_or_else(|| State {
        chain: id,
        before: Hash::default(),
        stored: 0,
        stored_at: Timestamp(0),
        first: 1,
        kept: VecDeque::new(),
    });
    if let Some(index) = state.kept.iter().position(|kept| kept.id == id) {
        return Ok((Next::Same, state.appended(index)));
    }
    if !state.kept.is_empty() && state.waiting() >= KEPT {
        return Ok((Next::Same, Reply::Full));
    }
    fits("entry", entry.len(), ENTRY)?;
    let number = state.first + state.kept.len() as u64;
    if number == u64::MAX {
        return Err(refused(format_args!("its last number has been used")));
    }
    let (previous, at) = state.kept.back().map_or((state.before, now), |last| (last.hash, last.at.max(now)));
    let hash = link(&previous, number, at, &entry);
    state.kept.push_back(Kept { id, at, hash, entry });
    while state.kept.len() > KEPT {
        if let Some(oldest) = state.kept.pop_front() {
            state.before = oldest.hash;
            state.first += 1;
        }
    }
    let reply = state.appended(state.kept.len() - 1);
    Ok((Next::State(state), reply))
}

fn pack_hash(hash: &Hash, to: &mut Packer) {
    hash.iter().for_each(|byte| to.byte(*byte));
}

fn unpack_hash(from: &mut Unpacker<'_>) -> Result<Hash> {
    let mut hash = Hash::default();
    for byte in &mut hash {
        *byte = from.byte()?;
    }
    Ok(hash)
}

impl Pack for State {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        to.number(self.chain);
        pack_hash(&self.before, to);
        to.number(self.stored);
        to.moment(self.stored_at);
        to.number(self.first);
        to.length(self.kept.len());
        for kept in &self.kept {
            to.number(kept.id);
            to.moment(kept.at);
            pack_hash(&kept.hash, to);
            to.bytes(&kept.entry);
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        let (chain, before, stored) = (from.number()?, unpack_hash(from)?, from.number()?);
        let (stored_at, first) = (from.moment()?, from.number()?);
        let kept = (0..from.count(35)?)
            .map(|_| Ok(Kept { id: from.number()?, at: from.moment()?, hash: unpack_hash(from)?, entry: from.bytes()? }))
            .collect::<Result<VecDeque<_>>>()?;
        let end = first.checked_add(kept.len() as u64).filter(|end| *end < u64::MAX && first > 0 && !kept.is_empty());
        // What waits is all there.
        let whole = end.is_some_and(|end| stored < end && stored + 1 >= first) && kept.len() <= KEPT;
        let state = Self { chain, before, stored, stored_at, first, kept };
        if whole && state.holds_together() { Ok(state) } else { Err(refused(format_args!("its entries do not hold together"))) }
    }
}

impl State {
    /// Whether entries are in order, those that wait are what their hashes say, and the others are gone.
    fn holds_together(&self) -> bool {
        let ascending = self.kept.iter().zip(self.kept.iter().skip(1)).all(|(a, b)| a.at <= b.at);
        let stored = self.kept.len() - self.waiting();
        let linked = (stored..self.kept.len())
            .map(|index| self.link(index))
            .all(|entry| entry.entry.len() <= ENTRY && link(&entry.previous, entry.number, entry.at, &entry.entry) == entry.hash);
        ascending && linked && self.kept.iter().take(stored).all(|kept| kept.entry.is_empty())
    }
}

impl Pack for Command {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Look => to.byte(0),
            Self::Append { id, entry } => {
                to.byte(1);
                to.number(*id);
                to.bytes(entry);
            }
            Self::Stored { up_to } => {
                to.byte(2);
                to.number(*up_to);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Look,
            1 => Self::Append { id: from.number()?, entry: from.bytes()? },
            2 => Self::Stored { up_to: from.number()? },
            other => return Err(refused(format_args!("there is no command {other}"))),
        })
    }
}

impl Link {
    /// The fewest bytes that one takes: two hashes, three numbers or lengths.
    const LEAST: usize = 67;

    fn pack(&self, to: &mut Packer) {
        to.number(self.number);
        to.moment(self.at);
        pack_hash(&self.previous, to);
        pack_hash(&self.hash, to);
        to.bytes(&self.entry);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(Self {
            number: from.number()?,
            at: from.moment()?,
            previous: unpack_hash(from)?,
            hash: unpack_hash(from)?,
            entry: from.bytes()?,
        })
    }
}

impl Pack for Reply {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::End(end) => {
                to.byte(0);
                to.number(end.chain);
                to.number(end.number);
                pack_hash(&end.hash, to);
                to.number(end.stored);
                to.moment(end.stored_at);
                to.length(end.waiting.len());
                end.waiting.iter().for_each(|link| link.pack(to));
            }
            Self::Appended { link, chain, waiting } => {
                to.byte(1);
                link.pack(to);
                to.number(*chain);
                to.number(u64::from(*waiting));
            }
            Self::Full => to.byte(2),
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::End(End {
                chain: from.number()?,
                number: from.number()?,
                hash: unpack_hash(from)?,
                stored: from.number()?,
                stored_at: from.moment()?,
                waiting: (0..from.count(Link::LEAST)?).map(|_| Link::unpack(from)).collect::<Result<_>>()?,
            }),
            1 => Self::Appended { link: Link::unpack(from)?, chain: from.number()?, waiting: from.number32()? },
            2 => Self::Full,
            other => return Err(refused(format_args!("there is no reply {other}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::step;
    use crate::error::ErrorKind;

    /// A chain, its state as bytes between commands.
    #[derive(Default)]
    struct Cell(Option<Bytes>);

    impl Cell {
        fn send(&mut self, command: &Command, now: u64) -> Reply {
            let next = step::<Chain>().step(self.0.as_deref(), &command.to_bytes(), Timestamp(now)).expect("a good command");
            assert_eq!(Command::from_bytes(&command.to_bytes()).expect("its own bytes"), *command);
            self.0 = next.state;
            Reply::from_bytes(&next.reply).expect("its own bytes")
        }

        fn append(&mut self, id: u64, entry: &'static str) -> Link {
            match self.send(&Command::Append { id, entry: entry.into() }, id) {
                Reply::Appended { link, .. } => link,
                other => panic!("{other:?}"),
            }
        }

        fn end(&mut self, command: &Command) -> End {
            match self.send(command, 1000) {
                Reply::End(end) => end,
                other => panic!("{other:?}"),
            }
        }

        fn look(&mut self) -> End {
            self.end(&Command::Look)
        }
    }

    #[test]
    fn each_entry_names_the_one_before() {
        let mut cell = Cell::default();
        assert_eq!(cell.look(), End::default());
        assert_eq!(cell.0, None, "a question leaves nothing behind");
        let mut previous = Hash::default();
        for id in 1..=200 {
            let made = cell.append(id, "something happened");
            assert_eq!((made.number, made.at, made.previous), (id, Timestamp(id), previous));
            assert_eq!(made.hash, link(&previous, id, Timestamp(id), b"something happened"));
            previous = made.hash;
            cell.send(&Command::Stored { up_to: id }, id);
        }
        let end = cell.look();
        assert_eq!((end.chain, end.number, end.hash, end.stored), (1, 200, previous, 200));
        // The bytes that are hashed are a promise to everybody who checks a chain without this program.
        let first = link(&Hash::default(), 1, Timestamp(2), b"three");
        let hex: String = first.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "72f3244fbef15765ca657f1c16c6e68fbd5d3d4a259f0b0ebd98fcc878e68285");
    }

    #[test]
    fn an_entry_sent_again_is_there_once_and_answered_again() {
        let mut cell = Cell::default();
        let first = cell.append(1, "a");
        let second = cell.append(2, "b");
        assert_eq!((cell.append(1, "a"), cell.append(2, "b")), (first.clone(), second.clone()));
        cell.send(&Command::Stored { up_to: 2 }, 3);
        assert_eq!((cell.append(1, "a"), cell.append(2, "b")), (first, second), "even after it was stored");
        assert_eq!(cell.look().number, 2);
    }

    #[test]
    fn entries_wait_whole_until_they_are_stored_and_a_full_chain_refuses() {
        let mut cell = Cell::default();
        let most = KEPT as u64;
        for id in 1..=most {
            cell.append(id, "an entry");
        }
        let more = Command::Append { id: most + 1, entry: "more".into() };
        assert_eq!(cell.send(&more, 0), Reply::Full);
        assert_eq!(cell.append(1, "an entry").number, 1, "what is there is there");
        let end = cell.look();
        assert_eq!((end.number, end.stored, end.waiting.len()), (most, 0, KEPT));
        assert!(end.waiting.iter().all(|link| link.entry == "an entry"));
        let end = cell.end(&Command::Stored { up_to: 10 });
        assert_eq!((end.stored, end.stored_at, end.waiting.len(), end.waiting[0].number), (10, Timestamp(1000), KEPT - 10, 11));
        assert_eq!(cell.end(&Command::Stored { up_to: 5 }), end, "what is stored stays stored");
        assert_eq!(cell.append(most + 1, "more").number, most + 1);
        let end = cell.end(&Command::Stored { up_to: u64::MAX });
        assert_eq!((end.number, end.stored, end.waiting.len()), (most + 1, most + 1, 0));
        assert_eq!(cell.append(most + 2, "again").number, most + 2);
    }

    #[test]
    fn time_that_goes_back_stands_still() {
        let mut cell = Cell::default();
        cell.append(100, "a");
        assert_eq!(cell.append(50, "b").at, Timestamp(100));
    }

    #[test]
    fn a_state_that_was_tampered_with_is_refused() {
        let mut cell = Cell::default();
        cell.append(1, "who");
        cell.append(2, "what");
        let state = cell.0.expect("a state").to_vec();
        let at = state.windows(3).position(|bytes| bytes == b"who").expect("it is there");
        let mut tampered = state.clone();
        tampered[at] = b'W';
        assert!(State::from_bytes(&state).is_ok() && State::from_bytes(&tampered).is_err());
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_largest_state_is_known() {
        let run = |state: Option<&[u8]>, id: u64, length: usize| {
            let append = Command::Append { id, entry: vec![b'x'; length].into() };
            step::<Chain>().step(state, &append.to_bytes(), Timestamp(u64::MAX))
        };
        assert_eq!(run(None, 1, ENTRY + 1).expect_err("too long").kind, ErrorKind::InvalidRequest);
        let mut state = None;
        for id in 0..KEPT as u64 + 10 {
            state = run(state.as_deref(), u64::MAX - id, ENTRY).expect("as long as may be").state;
        }
        assert!(state.expect("a state").len() < KEPT * (ENTRY + 60));
    }
}
