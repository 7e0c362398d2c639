//! A provider's HTTP/1.1 response: its head, and how its body ends.
//!
//! | framing | the body ends |
//! |---|---|
//! | no body (204, 304, an answer to HEAD) | with the head |
//! | `transfer-encoding: chunked` | with its last chunk; `content-length` beside it is ignored, and the connection is not used again |
//! | `content-length` | after so many bytes; two different ones are an error |
//! | neither | when the provider closes |
//!
//! Invariant: a body that ends before its end is an error, never a shorter body.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use edgeway_core::error::{Error, ErrorKind, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};

use crate::http1::chunked::Decoder;

/// Most bytes of a response's head.
const MAX_HEAD: usize = 256 * 1024;
/// Most heads of informational responses before the response: more never lead to one.
const MAX_INFORMATIONAL: u32 = 64;
/// Most header fields of a response.
const MAX_FIELDS: usize = 256;

/// How a body ends.
#[derive(Debug)]
pub(super) enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// With its last chunk.
    Chunked(Decoder),
    /// With the connection.
    Close,
}

/// What a read gave.
pub(super) struct Read {
    /// Bytes of payload, at the front of what was read.
    pub(super) payload: usize,
    /// Whether the provider sent more than the body.
    pub(super) excess: bool,
}

impl Framing {
    /// Whether the body has ended.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder) => decoder.is_over(),
            Self::Close => false,
        }
    }

    /// Takes bytes of the body, and moves the payload to their front.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Result<Read> {
        match self {
            Self::Length(left) => {
                let payload = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= payload as u64;
                Ok(Read { payload, excess: payload < bytes.len() })
            }
            Self::Chunked(decoder) => {
                let decoded = decoder.decode(bytes).map_err(|malformed| invalid(malformed.0))?;
                Ok(Read { payload: decoded.payload, excess: decoded.taken < bytes.len() })
            }
            Self::Close => Ok(Read { payload: bytes.len(), excess: false }),
        }
    }
}

/// A response's head, with what came behind it.
pub(super) struct Answer {
    /// Status and headers.
    pub(super) head: Response<()>,
    /// How its body ends.
    pub(super) framing: Framing,
    /// The first piece of its body.
    pub(super) first: Bytes,
    /// Whether the connection may be used again when the body has ended.
    pub(super) keep: bool,
}

/// Reads one head, over as many reads as it takes.
pub(super) struct HeadReader {
    partial: BytesMut,
    bodiless: bool,
    informational: u32,
}

impl HeadReader {
    /// A reader of the answer to a request, which has no body if the request was HEAD.
    pub(super) fn new(bodiless: bool) -> Self {
        Self { partial: BytesMut::new(), bodiless, informational: 0 }
    }

    /// Takes what was read; `None` when there is more to come.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Result<Option<Answer>> {
        if self.partial.is_empty() {
            return match parse(bytes, self.bodiless, &mut self.informational)? {
                Parsed::Answer(answer) => Ok(Some(*answer)),
                Parsed::Partial(from) => self.keep(&bytes[from..]),
            };
        }
        self.partial.extend_from_slice(bytes);
        let mut whole = std::mem::take(&mut self.partial);
        match parse(&mut whole, self.bodiless, &mut self.informational)? {
            Parsed::Answer(answer) => Ok(Some(*answer)),
            Parsed::Partial(from) => {
                bytes::Buf::advance(&mut whole, from);
                self.keep(&whole)
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Option<Answer>> {
        if bytes.len() > MAX_HEAD {
            return Err(invalid("the response's head is too large"));
        }
        self.partial.extend_from_slice(bytes);
        Ok(None)
    }
}

enum Parsed {
    Answer(Box<Answer>),
    /// The head that begins here is not complete.
    Partial(usize),
}

fn parse(bytes: &mut [u8], bodiless: bool, informational: &mut u32) -> Result<Parsed> {
    let mut start = 0;
    loop {
        if start == bytes.len() {
            return Ok(Parsed::Partial(start));
        }
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let source = &bytes[start..];
        let length = match config.parse_response_with_uninit_headers(&mut response, source, &mut fields) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(Parsed::Partial(start)),
            Err(error) => return Err(invalid(error)),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| invalid("no status"))?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(invalid("the provider switches to a protocol that nobody asked for"));
        }
        if status.is_informational() {
            *informational += 1;
            if *informational > MAX_INFORMATIONAL {
                return Err(invalid("the provider sends informational responses without end"));
            }
            start += length;
            continue;
        }
        let http11 = response.version == Some(1);
        let head = Bytes::copy_from_slice(&source[..length]);
        let mut headers = HeaderMap::with_capacity(response.headers.len());
        for field in response.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(invalid)?;
            let from = field.value.as_ptr() as usize - source.as_ptr() as usize;
            let value = HeaderValue::from_maybe_shared(head.slice(from..from + field.value.len())).map_err(invalid)?;
            headers.append(name, value);
        }
        let (mut framing, mut keep) = framing(&headers, status, bodiless, http11)?;
        let rest = &mut bytes[start + length..];
        let read = framing.take(rest)?;
        keep &= !read.excess;
        let first = Bytes::copy_from_slice(&rest[..read.payload]);
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.version_mut() = if http11 { Version::HTTP_11 } else { Version::HTTP_10 };
        *head.headers_mut() = headers;
        return Ok(Parsed::Answer(Box::new(Answer { head, framing, first, keep })));
    }
}

fn framing(headers: &HeaderMap, status: StatusCode, bodiless: bool, http11: bool) -> Result<(Framing, bool)> {
    let mut keep = http11;
    for value in headers.get_all(header::CONNECTION) {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            let token = token.trim_ascii();
            if token.eq_ignore_ascii_case(b"close") {
                keep = false;
            } else if token.eq_ignore_ascii_case(b"keep-alive") && !http11 {
                keep = true;
            }
        }
    }
    if bodiless || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Ok((Framing::Length(0), keep));
    }
    let length = length(headers)?;
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let codings =
            headers.get_all(header::TRANSFER_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let mut codings =
            codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
        match (codings.next(), codings.next()) {
            (None, _) => {}
            (Some(only), None) if only.eq_ignore_ascii_case(b"chunked") => {
                return Ok((Framing::Chunked(Decoder::default()), keep && http11 && length.is_none()));
            }
            _ => return Err(invalid("the response has a transfer coding that nobody asked for")),
        }
    }
    Ok(length.map_or((Framing::Close, false), |length| (Framing::Length(length), keep)))
}

fn length(headers: &HeaderMap) -> Result<Option<u64>> {
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for text in value.as_bytes().split(|byte| *byte == b',') {
            let text = text.trim_ascii();
            let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
            let this = std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse::<u64>().ok());
            let this = this.ok_or_else(|| invalid("the response's content-length is no number"))?;
            if length.is_some_and(|other| other != this) {
                return Err(invalid("the response has two different content-lengths"));
            }
            length = Some(this);
        }
    }
    Ok(length)
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::UpstreamInvalid, "The provider's answer is not valid HTTP.").source(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, body, whether it has ended, whether the connection can be used again.
    type Seen<B> = (u16, B, bool, bool);

    fn read(pieces: &[&[u8]]) -> Result<Option<Seen<Vec<u8>>>> {
        let mut reader = HeadReader::new(false);
        let mut answer: Option<(Answer, Vec<u8>)> = None;
        for piece in pieces {
            let mut piece = piece.to_vec();
            match &mut answer {
                None => {
                    answer = reader.take(&mut piece)?.map(|answer| {
                        let body = answer.first.to_vec();
                        (answer, body)
                    });
                }
                Some((answer, body)) => {
                    let read = answer.framing.take(&mut piece)?;
                    body.extend_from_slice(&piece[..read.payload]);
                    answer.keep &= !read.excess;
                }
            }
        }
        Ok(answer.map(|(answer, body)| (answer.head.status().as_u16(), body, answer.framing.is_over(), answer.keep)))
    }

    #[test]
    fn answers_are_read_however_they_are_cut() {
        #[rustfmt::skip]
        let cases: &[(&[u8], Seen<&[u8]>)] = &[
            (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwiki", (200, b"wiki", true, true)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\nwiki", (200, b"wiki", true, true)),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nwi\r\n2\r\nki\r\n0\r\n\r\n", (200, b"wiki", true, true)),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n2\r\nwi\r\n0\r\n\r\n", (200, b"wi", true, false)),
            (b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n", (200, b"", true, false)),
            (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab", (200, b"ab", true, false)),
            (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nab", (200, b"ab", true, true)),
            (b"HTTP/1.1 200 OK\r\n\r\nto the end", (200, b"to the end", false, false)),
            (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", true, true)),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 \r\ncontent-length: 1\r\n\r\nx", (404, b"x", true, true)),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200", (200, b"x", true, false)),
        ];
        for (input, (status, body, over, keep)) in cases {
            let expected = (*status, body.to_vec(), *over, *keep);
            assert_eq!(read(&[input]).expect("valid"), Some(expected.clone()));
            for cut in 0..input.len() {
                let got = read(&[&input[..cut], &input[cut..]]).expect("valid");
                assert_eq!(got, Some(expected.clone()), "{:?} cut at {cut}", String::from_utf8_lossy(input));
            }
        }
    }

    #[test]
    fn answers_that_could_mean_two_things_are_errors() {
        for input in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 4, 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: +4\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            let error = read(&[input]).expect_err(&String::from_utf8_lossy(input));
            assert_eq!(error.kind, ErrorKind::UpstreamInvalid);
        }
    }

    #[test]
    fn informational_responses_without_end_are_given_up() {
        let hint = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
        let last = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        for (hints, good) in [(64, true), (65, false)] {
            let whole = [hint.repeat(hints).as_slice(), last].concat();
            assert_eq!(read(&[&whole]).is_ok_and(|answer| answer.is_some()), good, "{hints}");
            let pieces: Vec<&[u8]> = whole.chunks(7).collect();
            assert_eq!(read(&pieces).is_ok_and(|answer| answer.is_some()), good, "{hints} in pieces");
        }
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let mut reader = HeadReader::new(false);
        assert!(reader.take(&mut b"HTTP/1.1 200 OK\r\n".to_vec()).expect("valid so far").is_none());
        let line = format!("x: {}\r\n", "y".repeat(4096));
        let outcome = (0..100).find_map(|_| reader.take(&mut line.clone().into_bytes()).err());
        assert_eq!(outcome.expect("given up").kind, ErrorKind::UpstreamInvalid);
    }
}
