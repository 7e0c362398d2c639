//! AWS Signature Version 4: a request's head and the hash of its body become an `authorization` header.
//!
//! Source: AWS IAM user guide, "Create a signed AWS API request". What differs between services is a value here, [`Form`]:
//!
//! | | path in the signature | body's hash as a header |
//! |---|---|---|
//! | [`Form::Standard`] | dots and empty segments resolved, then encoded once more | no |
//! | [`Form::S3`] | as it is sent | `x-amz-content-sha256` |
//!
//! Knows no clock and keeps no secret. Invariant: what is signed is what the head says when it is signed; whoever
//! changes a header afterwards (other than those in [`UNSIGNED`]) breaks the signature.

use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::order;
use crate::ports::{Secret, Timestamp};

/// Headers that proxies and clients own; they are never signed.
const UNSIGNED: [&str; 9] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "expect",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id; no secret.
    pub access_key: String,
    /// The access key's secret.
    pub secret_key: Secret,
    /// The token of temporary credentials.
    pub session_token: Option<Secret>,
}

/// How a service wants paths and bodies signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Every service but one.
    Standard,
    /// S3: keys may hold anything, and the body's hash is a header.
    S3,
}

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The region, `us-east-1`.
    pub region: &'a str,
    /// The service's signing name, `dynamodb`.
    pub service: &'a str,
    /// Its form.
    pub form: Form,
}

/// The SHA-256 of a body, in hexadecimal, as signatures take it.
pub fn hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// Signs a request whose body has this [`hash`]: adds date, token and `authorization`.
///
/// Takes the host from the `host` header, or from the URI. Fails with [`ErrorKind::Misconfigured`] when there is no host, or
/// when a credential holds what no header can.
pub fn sign(head: &mut Parts, body_hash: &str, scope: Scope<'_>, credentials: &Credentials, now: Timestamp) -> Result<()> {
    if !head.headers.contains_key(header::HOST) {
        let host = head.uri.authority().ok_or_else(|| unusable("the request names no host"))?;
        let value = HeaderValue::from_str(host.as_str()).map_err(unusable)?;
        head.headers.insert(header::HOST, value);
    }
    let time = compact(now);
    let day = &time[..8];
    head.headers.insert(DATE, HeaderValue::from_str(&time).map_err(unusable)?);
    if let Some(token) = &credentials.session_token {
        head.headers.insert(TOKEN, sensitive(token.expose())?);
    }
    if scope.form == Form::S3 {
        head.headers.insert(CONTENT_HASH, HeaderValue::from_str(body_hash).map_err(unusable)?);
    }
    let (fields, names) = fields(&head.headers);
    let canonical = format!(
        "{}\n{}\n{}\n{fields}\n{names}\n{body_hash}",
        head.method,
        path(head.uri.path(), scope.form),
        query(head.uri.query().unwrap_or_default()),
    );
    let range = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let signed = format!("{ALGORITHM}\n{time}\n{range}\n{}", hash(canonical.as_bytes()));
    let mut key = mac(format!("AWS4{}", credentials.secret_key.expose()).as_bytes(), day);
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &signed));
    let value =
        format!("{ALGORITHM} Credential={}/{range}, SignedHeaders={names}, Signature={signature}", credentials.access_key.trim());
    head.headers.insert(header::AUTHORIZATION, sensitive(&value)?);
    Ok(())
}

/// Percent-encodes what a path's segment, or a query's name or value, cannot hold (RFC 3986: all but unreserved characters).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text.bytes(), false);
    out
}

/// The same for a path whose slashes separate: an object's key.
pub fn encode_path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text.bytes(), true);
    out
}

fn encode_into(out: &mut String, bytes: impl Iterator<Item = u8>, keep_slash: bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            b'/' if keep_slash => out.push('/'),
            _ => out.extend(['%', DIGITS[usize::from(byte >> 4)].into(), DIGITS[usize::from(byte & 15)].into()]),
        }
    }
}

fn path(path: &str, form: Form) -> String {
    if form == Form::S3 {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len() + 8);
    for segment in &kept {
        out.push('/');
        encode_into(&mut out, segment.bytes(), false);
    }
    if kept.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

/// Names and values encoded anew, in the order of their encoded bytes.
fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded_anew(name), encoded_anew(value)))
        .collect();
    order::sort(&mut pairs);
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn encoded_anew(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte"));
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, decoded.into_iter(), false);
    out
}

/// The signed fields, one a line, and their names.
fn fields(headers: &HeaderMap) -> (String, String) {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).filter(|name| !UNSIGNED.contains(name)).collect();
    order::sort(&mut names);
    let mut lines = String::new();
    for name in &names {
        let values: Vec<String> = headers.get_all(*name).iter().map(folded).collect();
        lines.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    (lines, names.join(";"))
}

/// A value without spaces around it, and with single ones in it.
fn folded(value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// `20150830T123600Z`, from RFC 3339.
fn compact(now: Timestamp) -> String {
    let mut out: String = now.to_string().chars().take_while(|c| *c != '.').filter(|c| !matches!(c, '-' | ':')).collect();
    out.push('Z');
    out
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(unusable)?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Misconfigured, "The gateway cannot sign a request to AWS.").source(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2015-08-30T12:36:00Z, as in AWS's own examples.
    const NOW: Timestamp = Timestamp(1_440_938_160_000_000);

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
        }
    }

    /// Signs, and gives names and signature.
    fn signed(
        (method, uri): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
        service: &str,
        token: Option<&str>,
    ) -> (String, String) {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        let form = if service == "s3" { Form::S3 } else { Form::Standard };
        let scope = Scope { region: "us-east-1", service, form };
        sign(&mut head, &hash(body.as_bytes()), scope, &credentials(token), NOW).expect("signed");
        let value = head.headers[header::AUTHORIZATION].to_str().expect("text").to_owned();
        let prefix = format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, SignedHeaders=");
        let rest = value.strip_prefix(&prefix).unwrap_or_else(|| panic!("{value}"));
        let (names, signature) = rest.split_once(", Signature=").expect("a signature");
        assert_eq!(head.headers["x-amz-date"], "20150830T123600Z");
        (names.to_owned(), signature.to_owned())
    }

    /// The first is the vanilla request of AWS's test suite; the others were signed by botocore 1.x.
    #[test]
    fn signatures_are_those_of_the_reference() {
        let url = "https://example.amazonaws.com";
        for (uri, signature) in [
            ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "/?Param2=value2&Param1=value1&a%20b=%2F&empty=",
                "41747619e0b41bcd7267746d076336633207d2bb89e63c3e212d876b3d500342",
            ),
            ("/a/./b/../c//d%20e/", "8534acf9c5b6100f9d76f0acd280ab47b64e1a30d1dd75c94e9a0234cce640c7"),
        ] {
            let expected = ("host;x-amz-date".to_owned(), signature.to_owned());
            assert_eq!(signed(("GET", &format!("{url}{uri}")), &[], "", "service", None), expected, "{uri}");
        }
    }

    #[test]
    fn a_token_and_the_services_headers_are_signed() {
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.GetItem")];
        let request = ("POST", "https://dynamodb.us-east-1.amazonaws.com/");
        let (names, signature) = signed(request, &headers, "{\"TableName\":\"t\"}", "dynamodb", Some("SESSION/token=="));
        assert_eq!(names, "content-type;host;x-amz-date;x-amz-security-token;x-amz-target");
        assert_eq!(signature, "10f5c608b271b99460d0943a73a741e1a171bb98d9867c3e65a168c441dce0ad");
    }

    #[test]
    fn s3_signs_keys_as_they_are_and_the_hash_of_the_body() {
        let uri = "https://bucket.s3.us-east-1.amazonaws.com/a%20b/%C3%BC//x~y?partNumber=1&uploadId=a%2Bb";
        let (names, signature) = signed(("PUT", uri), &[("x-amz-meta-x", "  a   b ")], "body", "s3", None);
        assert_eq!(names, "host;x-amz-content-sha256;x-amz-date;x-amz-meta-x");
        assert_eq!(signature, "072f83414115cdf2aefc75233bfaa644e4fc6eb7ba3b6c14f0f38589d0ca2d01");
    }

    #[test]
    fn an_encoded_path_is_encoded_once_more() {
        let uri = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-x-v1%3A0/converse";
        let (_, signature) = signed(("POST", uri), &[("content-type", "application/json")], "{}", "bedrock", None);
        assert_eq!(signature, "9d5b8f0e3816dfc9d384523a6ac7a3ef4ecdf5a1a51fd6193b7eb53dd3277c17");
    }

    #[test]
    fn headers_of_the_connection_are_not_signed() {
        let own = [("user-agent", "x"), ("content-length", "0"), ("connection", "close"), ("x-amzn-trace-id", "Root=1")];
        let with = signed(("GET", "https://example.amazonaws.com/"), &own, "", "service", None);
        assert_eq!(with, signed(("GET", "https://example.amazonaws.com/"), &[], "", "service", None));
    }

    #[test]
    fn what_no_header_can_hold_is_a_misconfiguration() {
        let (mut head, ()) = http::Request::get("/").body(()).expect("a request").into_parts();
        let scope = Scope { region: "us-east-1", service: "service", form: Form::Standard };
        let sign = |head: &mut Parts, token| sign(head, &hash(b""), scope, &credentials(token), NOW).map_err(|error| error.kind);
        assert_eq!(sign(&mut head, None), Err(ErrorKind::Misconfigured), "no host");
        head.headers.insert(header::HOST, HeaderValue::from_static("h"));
        assert_eq!(sign(&mut head, Some("a\nb")), Err(ErrorKind::Misconfigured));
        assert_eq!(sign(&mut head, None), Ok(()));
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(encode("a-._~Z9/ %ü"), "a-._~Z9%2F%20%25%C3%BC");
        assert_eq!(encode_path("a/ b"), "a/%20b");
    }
}
