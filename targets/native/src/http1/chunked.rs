//! The chunked transfer coding (RFC 9112, section 7.1), decoded in place.
//!
//! Strict where leniency lets two parsers disagree: sizes are hexadecimal digits and nothing else, lines
//! end in CR LF, and what is not chunked coding is an error. Chunk extensions and trailers are read and
//! dropped, within a bound.
//!
//! Invariant: how the input is cut never changes the payload (`tests::split_invariance`).

/// Most bytes of extensions and trailers of one body.
const MAX_IGNORED: u32 = 16 * 1024;
/// Most digits of a chunk's size: 2^60 bytes.
const MAX_DIGITS: u8 = 15;

/// Input that is not chunked coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(
    /// What is wrong with it.
    pub(crate) &'static str,
);

/// Decodes one body.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of the current chunk that are still to come, or its size so far.
    left: u64,
    digits: u8,
    ignored: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// Blanks between the size and what follows it.
    Blank,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line after the last chunk.
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
    End,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::Size, left: 0, digits: 0, ignored: 0 }
    }
}

/// What one call of [`Decoder::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Bytes of payload, now at the front of the input.
    pub(crate) payload: usize,
    /// Bytes of input that were taken; less than all of it only when the body has ended.
    pub(crate) taken: usize,
}

impl Decoder {
    /// Whether the body has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// Takes input and moves its payload to its front.
    pub(crate) fn decode(&mut self, input: &mut [u8]) -> Result<Decoded, Malformed> {
        let mut payload = 0;
        let mut at = 0;
        while at < input.len() && self.state != State::End {
            if self.state == State::Data {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                if payload != at {
                    input.copy_within(at..at + here, payload);
                }
                payload += here;
                at += here;
                self.left -= here as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.framing(input[at])?;
            at += 1;
        }
        Ok(Decoded { payload, taken: at })
    }

    /// Takes input and leaves it as it is. Says how much of it belongs to the body.
    pub(crate) fn skip(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < input.len() && self.state != State::End {
            if self.state == State::Data {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                at += here;
                self.left -= here as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.framing(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn framing(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if self.digits == MAX_DIGITS {
                    return Err(Malformed("a chunk's size is out of range"));
                }
                let digit = char::from(byte).to_digit(16).expect("matched as a hexadecimal digit");
                self.left = self.left << 4 | u64::from(digit);
                self.digits += 1;
                State::Size
            }
            (State::Size, _) if self.digits == 0 => return Err(Malformed("a chunk's size is missing")),
            (State::Size | State::Blank, b'\r') => State::SizeLf,
            (State::Size | State::Blank, b';') => State::Extension,
            (State::Size | State::Blank, b' ' | b'\t') => self.ignore(State::Blank)?,
            (State::Size | State::Blank, _) => return Err(Malformed("a chunk's size is not hexadecimal")),
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\n') => return Err(Malformed("a bare line feed in a chunk extension")),
            (State::Extension, _) => self.ignore(State::Extension)?,
            (State::SizeLf, b'\n') if self.left == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.digits = 0;
                State::Size
            }
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerStart | State::Trailer, b'\n') => return Err(Malformed("a bare line feed in the trailers")),
            (State::TrailerStart, _) => self.ignore(State::Trailer)?,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::Trailer, _) => self.ignore(State::Trailer)?,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::LastLf, b'\n') => State::End,
            _ => return Err(Malformed("a chunk does not end where its size says")),
        };
        Ok(())
    }

    fn ignore(&mut self, next: State) -> Result<State, Malformed> {
        self.ignored += 1;
        if self.ignored > MAX_IGNORED { Err(Malformed("too many chunk extensions or trailers")) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Payload, rest, and whether the body ended.
    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>, bool), Malformed> {
        let mut decoder = Decoder::default();
        let (mut payload, mut rest) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut piece = piece.to_vec();
            let decoded = decoder.decode(&mut piece)?;
            payload.extend_from_slice(&piece[..decoded.payload]);
            rest.extend_from_slice(&piece[decoded.taken..]);
        }
        Ok((payload, rest, decoder.is_over()))
    }

    const BODY: &[u8] = b"4\r\nwiki\r\n5 ;ext=\"a;b\"\r\npedia\r\n00A\r\n0123456789\r\n0\r\nx-trailer: y\r\n\r\nGET /next";

    #[test]
    fn split_invariance() {
        let whole = decode(&[BODY]).expect("valid");
        assert_eq!(whole, (b"wikipedia0123456789".to_vec(), b"GET /next".to_vec(), true));
        for cut in 0..BODY.len() {
            assert_eq!(decode(&[&BODY[..cut], &BODY[cut..]]).expect("valid"), whole, "cut at {cut}");
        }
        let mut decoder = Decoder::default();
        assert_eq!(decoder.skip(BODY), Ok(BODY.len() - b"GET /next".len()));
        let bytes: Vec<&[u8]> = BODY.chunks(1).collect();
        assert_eq!(decode(&bytes).expect("valid"), whole);
    }

    #[test]
    fn a_body_that_is_cut_is_not_over() {
        let end = BODY.len() - b"GET /next".len();
        for cut in 0..end {
            assert!(!decode(&[&BODY[..cut]]).expect("valid so far").2, "cut at {cut}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for input in [
            &b"\r\n"[..],
            b" 4\r\nwiki",
            b"+4\r\nwiki",
            b"0x4\r\nwiki",
            b"4\nwiki",
            b"4\r\nwiki\n",
            b"4\r\nwikiX",
            b"4\rwiki",
            b"4 4\r\nwiki",
            b"4;a\nwiki",
            b"0\r\n\n",
            b"0\r\na: b\n\r\n",
            b"0\r\nXY\rZ",
            b"ffffffffffffffffffff\r\n",
            b"-1\r\n",
            b";\r\n",
        ] {
            assert!(decode(&[input]).is_err(), "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let extension = [b"1;".as_slice(), &[b'x'; 20_000]].concat();
        assert_eq!(decode(&[&extension]), Err(Malformed("too many chunk extensions or trailers")));
        let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(5_000)].concat();
        assert_eq!(decode(&[&trailers]), Err(Malformed("too many chunk extensions or trailers")));
    }
}
