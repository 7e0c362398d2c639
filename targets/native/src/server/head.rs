//! A request's head: parsed once, strictly.
//!
//! Whatever two parsers could read differently is refused, so that no proxy in front and no provider behind
//! can be made to disagree with this server about where a request ends:
//!
//! | refused | with |
//! |---|---|
//! | `content-length` beside `transfer-encoding`, or twice, or not a plain number | 400 |
//! | `transfer-encoding` other than one `chunked`, or with HTTP/1.0 | 400 |
//! | a bare line feed, a folded line, a blank before a colon, a control character | 400 |
//! | no `host`, or two, with HTTP/1.1 | 400 |
//! | a fragment in the target, CONNECT, a version other than 1.0 and 1.1 | 400 |
//! | an `expect` other than `100-continue` | 417 |
//! | too many fields or bytes, a target of 64 KiB | 431, 414 |

use std::mem::MaybeUninit;

use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::exchange::{Refused, UNREAD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};

use super::Limits;
use crate::http1::chunked::{Decoder, Malformed};

/// The most fields that a head can be allowed to have.
const MOST_FIELDS: usize = 256;
/// How much of a path without an end is looked at.
const LONGEST_PATH: usize = 1024;
/// How an HTTP/2 connection without TLS begins (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a request's body ends.
#[derive(Clone, Debug)]
pub(super) enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// With its last chunk.
    Chunked(Decoder),
}

impl Framing {
    /// Whether the body has ended.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder) => decoder.is_over(),
        }
    }

    /// How many of these bytes belong to the body.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match self {
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                Ok(here)
            }
            Self::Chunked(decoder) => decoder.skip(bytes),
        }
    }
}

/// What begins a connection's input.
#[derive(Debug)]
pub(super) enum Begun {
    /// A head of so many bytes, and how its body ends.
    Head(Framing, usize),
    /// More must be read.
    Partial,
}

/// A request that is refused before anybody else reads it. What was read of it is known when [`read`] returns.
fn refused(status: StatusCode, message: impl Into<String>) -> Box<Refused> {
    Box::new(Refused { status, error: Error::new(ErrorKind::InvalidRequest, message), request: Request::default() })
}

fn bad(message: impl Into<String>) -> Box<Refused> {
    refused(StatusCode::BAD_REQUEST, message)
}

/// A head of which only this arrived in time.
pub(super) fn too_slow(input: &[u8]) -> Box<Refused> {
    let message = "The request's head took too long to arrive.";
    Box::new(Refused { request: understood(input), ..*refused(StatusCode::REQUEST_TIMEOUT, message) })
}

fn too_many(most: usize) -> Box<Refused> {
    let message = format!("The request has more than {most} header fields. Send fewer.");
    refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
}

/// Refuses what a head of HTTP/2, which `hyper` reads, may be and one of HTTP/1.1 may not.
pub(super) fn admit<B>(request: Request<B>, limits: &Limits) -> Result<Request<B>, Box<Refused>> {
    if request.headers().len() <= limits.headers {
        return Ok(request);
    }
    let (parts, _) = request.into_parts();
    Err(Box::new(Refused { request: Request::from_parts(parts, ()), ..*too_many(limits.headers) }))
}

/// The head of a refusal, after which the connection closes.
pub(super) fn farewell(status: StatusCode, headers: &HeaderMap, length: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::CONTENT_LENGTH && *name != header::CONNECTION) {
        head.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend_from_slice(format!("content-length: {length}\r\nconnection: close\r\n\r\n").as_bytes());
    head
}

/// Whether a connection begins with HTTP/2; `None` when there is too little to tell.
pub(super) fn is_http2(input: &[u8]) -> Option<bool> {
    if input.len() >= HTTP2_PREFACE.len() || !HTTP2_PREFACE.starts_with(input) {
        return Some(input.starts_with(HTTP2_PREFACE));
    }
    None
}

/// Reads what `input` begins with. Bytes before `seen` have been looked at by an earlier call.
pub(super) fn read(input: &[u8], seen: usize, limits: &Limits) -> Result<Begun, Box<Refused>> {
    begun(input, seen, limits).map_err(|mut refused| {
        refused.request = understood(input);
        refused
    })
}

fn begun(input: &[u8], seen: usize, limits: &Limits) -> Result<Begun, Box<Refused>> {
    // Empty lines before a request are allowed (RFC 9112, section 2.2), and are no part of it.
    let blank = input.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
    let (input, seen) = (&input[blank..], seen.saturating_sub(blank));
    // An input that has grown is parsed again only when its end has come, so that a head which arrives
    // byte by byte is not parsed as often.
    let ended = ends(input, seen)?;
    if (ended || seen == 0)
        && let Begun::Head(framing, length) = parse(input, limits)?
    {
        return Ok(Begun::Head(framing, length + blank));
    }
    if input.len() > limits.header_bytes { Err(too_large(limits)) } else { Ok(Begun::Partial) }
}

/// Whether an empty line has come since `seen`. Refuses a line that ends in a bare line feed.
fn ends(input: &[u8], seen: usize) -> Result<bool, Box<Refused>> {
    for at in memchr::memchr_iter(b'\n', &input[seen..]).map(|at| at + seen) {
        if at == 0 || input[at - 1] != b'\r' {
            return Err(bad("The request's head has a line that does not end in CR LF."));
        }
        if at >= 3 && input[at - 2] == b'\n' {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse(input: &[u8], limits: &Limits) -> Result<Begun, Box<Refused>> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let most = limits.headers.min(MOST_FIELDS);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_request_with_uninit_headers(&mut parsed, input, &mut fields[..most]) {
        Ok(httparse::Status::Partial) => return Ok(Begun::Partial),
        Ok(httparse::Status::Complete(length)) => length,
        Err(httparse::Error::TooManyHeaders) => {
            return Err(too_many(most));
        }
        Err(httparse::Error::Version) => return Err(bad("Only HTTP/1.0, HTTP/1.1 and HTTP/2 are served here.")),
        Err(error) => return Err(bad(format!("The request's head is not valid HTTP/1.1: {error}."))),
    };
    if length > limits.header_bytes {
        return Err(too_large(limits));
    }
    target(&parsed)?;
    rules(parsed.headers, parsed.version == Some(1)).map(|framing| Begun::Head(framing, length))
}

fn target(parsed: &httparse::Request<'_, '_>) -> Result<(), Box<Refused>> {
    let path = parsed.path.unwrap_or_default();
    if parsed.method == Some("CONNECT") {
        return Err(bad("CONNECT is not served here: this is a gateway, not a proxy."));
    }
    // Parsers drop a fragment silently, or do not.
    if path.contains('#') {
        return Err(bad("The request's target has a fragment (`#...`), which is never sent."));
    }
    if path.len() > usize::from(u16::MAX - 1) {
        return Err(refused(StatusCode::URI_TOO_LONG, "The request's target is too long."));
    }
    match path.parse::<http::Uri>() {
        Ok(_) => Ok(()),
        Err(_) => Err(bad("The request's target is not a valid path.")),
    }
}

/// What the fields say together.
fn rules(fields: &[httparse::Header<'_>], http11: bool) -> Result<Framing, Box<Refused>> {
    let (mut host, mut length, mut coding) = (None, None, None);
    for field in fields {
        let (slot, twice) = match field.name.len() {
            4 if field.name.eq_ignore_ascii_case("host") => (&mut host, "The request has two `host` fields."),
            6 if field.name.eq_ignore_ascii_case("expect") => match field.value.eq_ignore_ascii_case(b"100-continue") {
                true => continue,
                false => {
                    let message = "Only `expect: 100-continue` is understood.";
                    return Err(refused(StatusCode::EXPECTATION_FAILED, message));
                }
            },
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                (&mut length, "The request has two `content-length` fields. Send one.")
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                (&mut coding, "The request has two `transfer-encoding` fields. Send one.")
            }
            _ => continue,
        };
        if slot.replace(field.value).is_some() {
            return Err(bad(twice));
        }
    }
    if http11 && host.is_none() {
        return Err(bad("The request has no `host` field."));
    }
    match (length, coding) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(_), Some(_)) => Err(bad("The request has both `content-length` and `transfer-encoding`. Send one of them.")),
        (Some(length), None) => {
            let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(length).ok().filter(|_| digits).and_then(|text| text.parse::<u64>().ok());
            // `hyper` keeps the two largest for itself, and would refuse them without a word.
            length
                .filter(|length| *length < 1 << 62)
                .map(Framing::Length)
                .ok_or_else(|| bad("The request's `content-length` is not a number."))
        }
        (None, Some(_)) if !http11 => Err(bad("HTTP/1.0 has no `transfer-encoding`.")),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked(Decoder::default())),
        (None, Some(_)) => Err(bad("Only `transfer-encoding: chunked` is understood.")),
    }
}

/// What can be read of a head that is not a good one, or not all there.
fn understood(input: &[u8]) -> Request<()> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let _ = parsed.parse(input);
    let mut request = Request::<()>::default();
    *request.method_mut() = parsed.method.and_then(|name| name.parse().ok()).unwrap_or_else(unread);
    *request.uri_mut() = parsed.path.or_else(|| begun_target(input)).and_then(|path| path.parse().ok()).unwrap_or_else(unread);
    for field in parsed.headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(field.name.as_bytes()), HeaderValue::from_bytes(field.value)) {
            request.headers_mut().append(name, value);
        }
    }
    request
}

/// A target whose end has not come: its path, cut short, if that much is plain.
fn begun_target(input: &[u8]) -> Option<&str> {
    let target = &input[memchr::memchr(b' ', input)? + 1..];
    let path = target.split(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')).next()?;
    let path = &path[..path.len().min(LONGEST_PATH)];
    path.starts_with(b"/").then(|| std::str::from_utf8(path).ok()).flatten()
}

fn unread<T: std::str::FromStr<Err: std::fmt::Debug>>() -> T {
    UNREAD.parse().expect("it is a method, and an authority")
}

fn too_large(limits: &Limits) -> Box<Refused> {
    let message = format!("The request's head is larger than {} bytes. Send fewer or shorter headers.", limits.header_bytes);
    refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { header_bytes: 4096, headers: 8, ..Limits::default() }
    }

    /// Feeds `input` in pieces as they arrive.
    fn arriving(input: &[u8], cut: usize) -> Result<Begun, Box<Refused>> {
        match read(&input[..cut], 0, &limits())? {
            Begun::Partial => read(input, cut, &limits()),
            begun => Ok(begun),
        }
    }

    #[test]
    fn heads_are_read_however_they_are_cut() {
        let input = b"POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-Continue\r\nX-Y: \xc3\xa9\r\n\r\n{}";
        for cut in 0..input.len() {
            let Ok(Begun::Head(Framing::Length(2), length)) = arriving(input, cut) else { panic!("cut at {cut}") };
            assert_eq!(length, input.len() - 2);
        }
        for (input, over) in [
            (&b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"[..], true),
            (b"\r\n\r\nGET / HTTP/1.0\r\n\r\n", true),
            (b"POST /v1/x HTTP/1.1\r\nHOST: h\r\nTransfer-Encoding: Chunked\r\n\r\n", false),
        ] {
            let Ok(Begun::Head(framing, length)) = read(input, 0, &limits()) else { panic!("refused") };
            assert_eq!((framing.is_over(), length), (over, input.len()));
        }
    }

    #[test]
    fn ambiguous_and_malformed_heads_are_refused() {
        let many = format!("GET / HTTP/1.1\r\nhost: h\r\n{}\r\n", "a: b\r\n".repeat(8));
        let large = format!("GET / HTTP/1.1\r\nhost: h\r\na: {}\r\n\r\n", "b".repeat(5000));
        let endless = format!("GET / HTTP/1.1\r\nhost: h\r\na: {}", "b".repeat(5000));
        #[rustfmt::skip]
        let cases: &[(u16, &[u8])] = &[
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1, 1\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: +1\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0x10\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length:\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 18446744073709551616\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 18446744073709551615\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip, chunked\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: identity\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: xchunked\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding : chunked\r\n\r\n"),
            (400, b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding:\x0bchunked\r\n\r\n"),
            (400, b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n"),
            (400, b"GET / HTTP/1.1\nhost: h\n\n"),
            (400, b"\r\n\r\nGET / HTTP/1.1\nhost: h\n\n"),
            (400, b"\nGET / HTTP/1.1\r\nhost: h\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nhost: h\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nhost: h\r\n\n"),
            (400, b"GET / HTTP/1.1\r\nhost: h\r\na: b\r\n c\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\n host: h\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nhost : h\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nhost: h\r\na: b\x00c\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nhost: h\r\na: b\rc\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nhost: h\r\n: b\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
            (400, b"GET /a#b HTTP/1.1\r\nhost: h\r\n\r\n"),
            (400, b"GET /a b HTTP/1.1\r\nhost: h\r\n\r\n"),
            (400, b"GET  / HTTP/1.1\r\nhost: h\r\n\r\n"),
            (400, b"CONNECT h:1 HTTP/1.1\r\nhost: h\r\n\r\n"),
            (400, b"GET / HTTP/2.0\r\nhost: h\r\n\r\n"),
            (400, b"GET / HTTP/1.2\r\nhost: h\r\n\r\n"),
            (400, b"GET /\r\n\r\n"),
            (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            (417, b"POST / HTTP/1.1\r\nhost: h\r\nexpect: magic\r\n\r\n"),
            (431, many.as_bytes()),
            (431, large.as_bytes()),
            (431, endless.as_bytes()),
        ];
        for (status, input) in cases {
            for cut in [0, 1, input.len() / 2, input.len() - 1] {
                let shown = String::from_utf8_lossy(input);
                let refusal = arriving(input, cut).map(|begun| panic!("{shown:?} cut at {cut}: {begun:?}")).expect_err("panics");
                assert_eq!(refusal.status.as_u16(), *status, "{shown:?} cut at {cut}: {}", refusal.error);
            }
        }
    }

    #[test]
    fn http2_is_recognised_by_its_preface() {
        for cut in 0..HTTP2_PREFACE.len() {
            assert_eq!(is_http2(&HTTP2_PREFACE[..cut]), None);
        }
        assert_eq!(is_http2(HTTP2_PREFACE), Some(true));
        assert_eq!(is_http2(b"POST / HTTP/1.1"), Some(false));
        assert_eq!(is_http2(b"PRI * HTTP/1.1\r\n\r\n"), Some(false));
    }

    #[test]
    fn what_was_read_of_a_refused_request_is_known() {
        let long = [b"GET /v1/models/".to_vec(), b"m".repeat(5000)].concat();
        #[rustfmt::skip]
        let cases: &[(&[u8], &str, &str)] = &[
            (b"POST /v1/x?key=SECRET HTTP/1.1\r\nhost: h\r\ncontent-length: x\r\n\r\n", "POST", "/v1/x"),
            (b"PUT http://user:SECRET@h/v1/x?key=SECRET HTTP/1.1\r\n\r\n",                 "PUT",  "/v1/x"),
            (b"POST /v1/x HTTP/1.1\r\nhost : h\r\n\r\n",                                 "POST", "/v1/x"),
            (b"GET /v1/x HTTP/3.0\r\n\r\n",                                                "GET",  "/v1/x"),
            (b"GET /v1/x?key=SECRET\r\n\r\n",                                              "GET",  "/v1/x"),
            (b"GARBAGE\r\n\r\n",                                                           UNREAD, ""),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01 /x \r\n",                                 UNREAD, "/x"),
            (&long, "GET", std::str::from_utf8(&long[4..4 + LONGEST_PATH]).expect("ASCII")),
        ];
        for (input, method, path) in cases {
            let refused = read(input, 0, &limits()).expect_err("refused");
            let shown = String::from_utf8_lossy(input);
            assert_eq!((refused.request.method().as_str(), refused.request.uri().path()), (*method, *path), "{shown:?}");
        }
        let late = too_slow(b"GET /v1/models?key=SEC");
        assert_eq!((late.request.method().as_str(), late.request.uri().path()), ("GET", "/v1/models"));
        assert_eq!(late.request.uri().query(), None);
        assert_eq!(too_slow(b"G").request.uri().path(), "");
    }
}
