//! The bytes of states, commands and replies: a version, then numbers and strings, nothing that describes itself.
//!
//! | thing | bytes |
//! |---|---|
//! | version | one byte, first |
//! | number | LEB128, shortest form only |
//! | bytes, text | their length as a number, then they |
//! | a moment | microseconds since the Unix epoch, as a number |
//!
//! Invariant: a value has one encoding, so equal states are equal bytes; and whatever is not that encoding is refused
//! (another version, a longer form, a length past the end, bytes left over), never misread.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::ports::Timestamp;

/// Something with one encoding.
pub trait Pack: Sized {
    /// Which encoding. A change to it is a new number; what was stored under an older one is either still read or refused.
    const VERSION: u8;
    /// Writes everything after the version.
    fn pack(&self, to: &mut Packer);
    /// Reads everything after the version.
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self>;

    /// All its bytes.
    fn to_bytes(&self) -> Bytes {
        let mut packer = Packer(vec![Self::VERSION]);
        self.pack(&mut packer);
        packer.0.into()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Anything else is [`ErrorKind::Internal`].
    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut unpacker = Unpacker(bytes);
        match unpacker.byte()? {
            version if version == Self::VERSION => {}
            version => {
                return Err(refused(format_args!("its version is {version}, and this gateway knows {}", Self::VERSION)));
            }
        }
        let value = Self::unpack(&mut unpacker)?;
        if unpacker.0.is_empty() { Ok(value) } else { Err(refused(format_args!("{} bytes are left over", unpacker.0.len()))) }
    }
}

/// Writes.
#[derive(Default)]
pub struct Packer(Vec<u8>);

impl Packer {
    /// One byte, a variant's number say.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A number.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// How many, or how long.
    pub fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).expect("memory is smaller than 2^64 bytes"));
    }

    /// Bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// A moment.
    pub fn moment(&mut self, moment: Timestamp) {
        self.number(moment.0);
    }

    /// A duration, in microseconds.
    pub fn duration(&mut self, duration: Duration) {
        self.number(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Something that may not be there.
    pub fn option<T>(&mut self, value: Option<T>, pack: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            pack(self, value);
        }
    }
}

/// Reads what a [`Packer`] wrote. Every error is [`ErrorKind::Internal`]: only the gateway writes these bytes.
pub struct Unpacker<'a>(&'a [u8]);

impl<'a> Unpacker<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| refused(format_args!("it ends too early")))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number.
    pub fn number(&mut self) -> Result<u64> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(refused(format_args!("a number is not in its shortest form")))
    }

    /// A number of 32 bits.
    pub fn number32(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|error| refused(format_args!("{error}")))
    }

    /// How many of something that takes at least `each` bytes; refused when they cannot all follow.
    pub fn count(&mut self, each: usize) -> Result<usize> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        match count.checked_mul(each) {
            Some(length) if length <= self.0.len() => Ok(count),
            _ => Err(refused(format_args!("it ends too early"))),
        }
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<Bytes> {
        let length = self.count(1)?;
        Ok(Bytes::copy_from_slice(self.take(length)?))
    }

    /// UTF-8.
    pub fn text(&mut self) -> Result<String> {
        let length = self.count(1)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|error| refused(format_args!("{error}")))?;
        Ok(text.to_owned())
    }

    /// A moment.
    pub fn moment(&mut self) -> Result<Timestamp> {
        self.number().map(Timestamp)
    }

    /// A duration.
    pub fn duration(&mut self) -> Result<Duration> {
        self.number().map(Duration::from_micros)
    }

    /// Something that may not be there.
    pub fn option<T>(&mut self, unpack: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => unpack(self).map(Some),
            other => Err(refused(format_args!("{other} is neither there nor absent"))),
        }
    }
}

/// The refusal of bytes.
pub(super) fn refused(why: std::fmt::Arguments<'_>) -> Error {
    Error::new(ErrorKind::Internal, "The gateway cannot read its own state. Ask the operator to look at its log.")
        .source(format_args!("a cell's bytes are not what this version of the gateway writes: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(pack: impl FnOnce(&mut Packer)) -> Vec<u8> {
        let mut packer = Packer::default();
        pack(&mut packer);
        packer.0
    }

    #[test]
    fn numbers_have_one_form() {
        for number in (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX]) {
            let bytes = packed(|packer| packer.number(number));
            let mut unpacker = Unpacker(&bytes);
            assert_eq!(unpacker.number().expect("its own bytes"), number);
            assert!(unpacker.0.is_empty());
            assert!(Unpacker(&bytes[..bytes.len() - 1]).number().is_err());
        }
        for longer in [&[0x80, 0][..], &[0xff, 0x80, 0], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert!(Unpacker(longer).number().is_err(), "{longer:x?}");
        }
    }

    #[test]
    fn a_count_that_cannot_be_true_is_refused_before_memory_is_taken() {
        for (count, each) in [(u64::MAX, 1), (u64::MAX, 8), (1 << 40, 1), (3, 2)] {
            let mut bytes = packed(|packer| packer.number(count));
            bytes.extend([0; 5]);
            assert!(Unpacker(&bytes).count(each).is_err(), "{count} x {each}");
        }
    }

    struct Word(String);

    impl Pack for Word {
        const VERSION: u8 = 7;
        fn pack(&self, to: &mut Packer) {
            to.bytes(self.0.as_bytes());
        }
        fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
            from.text().map(Self)
        }
    }

    #[test]
    fn another_version_and_bytes_left_over_are_refused() {
        let bytes = Word("é".into()).to_bytes();
        assert_eq!(&bytes[..], b"\x07\x02\xc3\xa9");
        assert_eq!(Word::from_bytes(&bytes).expect("its own bytes").0, "é");
        for (wrong, why) in [
            (&b"\x08\x02\xc3\xa9"[..], "its version is 8, and this gateway knows 7"),
            (b"\x07\x02\xc3\xa9\x00", "1 bytes are left over"),
            (b"\x07\x02\xc3", "it ends too early"),
            (b"\x07\x01\xc3", "utf-8"),
            (b"", "it ends too early"),
        ] {
            let error = Word::from_bytes(wrong).err().expect("refused");
            assert!(format!("{error:?}").contains(why), "{error:?}");
        }
    }
}
