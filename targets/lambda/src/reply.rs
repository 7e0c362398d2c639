//! An answer as its caller's front takes it: streamed behind a prelude, or whole in an object of JSON.
//!
//! Invariant: a streamed answer ends only when its request is settled. What a front frames itself (connection,
//! transfer coding, length) is never in a reply's headers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::Result;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use serde_json::{Map, Value, json};

use crate::event::Way;
use crate::function::Settlement;

/// What the runtime sends.
pub(crate) enum Reply {
    /// Prelude and body, as they come.
    Stream(Sending),
    /// An object that holds all of it.
    Whole(Value),
}

/// What stands between a prelude and its body.
const DELIMITER: [u8; 8] = [0; 8];

/// Most bytes of a whole answer: Lambda takes 6 MB of JSON, and text may grow by a third on its way.
pub(crate) const MOST_WHOLE: usize = 4 << 20;

/// A streamed answer.
pub(crate) fn streamed(response: Response<Body>, settlement: Settlement) -> Reply {
    let (parts, body) = response.into_parts();
    let (headers, cookies) = headers(parts.headers);
    let headers = plain(&headers);
    let prelude = json!({"statusCode": parts.status.as_u16(), "headers": headers, "cookies": cookies});
    let mut first = prelude.to_string().into_bytes();
    first.extend_from_slice(&DELIMITER);
    // What is there already goes out in the same write.
    let body = match body {
        Body::Full(bytes) => {
            first.extend_from_slice(&bytes);
            Body::Empty
        }
        body => body,
    };
    Reply::Stream(Sending { first: Some(first.into()), body, settlement })
}

/// A whole answer.
pub(crate) fn whole(response: Response<Bytes>, way: Way) -> Reply {
    let (parts, body) = response.into_parts();
    let status = parts.status;
    let (headers, cookies) = headers(parts.headers);
    let plain = plain(&headers);
    let lists = || {
        let mut lists: Map<String, Value> = plain.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
        if !cookies.is_empty() {
            lists.insert("set-cookie".into(), json!(cookies));
        }
        lists
    };
    let (body, base64) = match std::str::from_utf8(&body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(&body), true),
    };
    let mut reply = json!({"statusCode": status.as_u16(), "body": body, "isBase64Encoded": base64});
    match way {
        Way::Stream | Way::Two => {
            reply["headers"] = plain.clone().into();
            reply["cookies"] = json!(cookies);
        }
        Way::One => reply["multiValueHeaders"] = lists().into(),
        Way::Balancer { lists: many } => {
            reply["statusDescription"] = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("")).into();
            match many {
                true => reply["multiValueHeaders"] = lists().into(),
                false => reply["headers"] = plain.clone().into(),
            }
        }
    }
    Reply::Whole(reply)
}

/// Headers as JSON has them.
fn plain(headers: &HeaderMap) -> Map<String, Value> {
    let text = |value: &HeaderValue| Value::from(String::from_utf8_lossy(value.as_bytes()));
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Headers with one value each, and cookies, which cannot be joined.
fn headers(mut given: HeaderMap) -> (HeaderMap, Vec<String>) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::CONTENT_LENGTH] {
        given.remove(name);
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let cookies = given.get_all(header::SET_COOKIE).iter().map(text).collect();
    given.remove(header::SET_COOKIE);
    let names: Vec<HeaderName> = given.keys().cloned().collect();
    for name in names {
        let values: Vec<&[u8]> = given.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if values.len() > 1
            && let Ok(joined) = HeaderValue::from_bytes(&values.join(&b", "[..]))
        {
            given.insert(name, joined);
        }
    }
    (given, cookies)
}

/// A prelude and a body on their way out, and then the settlement of the request. Field order matters: the body goes first.
pub(crate) struct Sending {
    first: Option<Bytes>,
    body: Body,
    settlement: Settlement,
}

impl Stream for Sending {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if this.settlement.is_late(cx) {
            this.body = Body::Empty;
        }
        match &mut this.body {
            Body::Empty => {}
            Body::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                this.body = Body::Empty;
                return Poll::Ready(Some(Ok(bytes)));
            }
            Body::Stream(stream) => match stream.as_mut().poll_next(cx) {
                Poll::Pending => {
                    // What a request that lasts needs: its slots are renewed.
                    let _ = this.settlement.poll(cx);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(piece))) => return Poll::Ready(Some(Ok(piece))),
                // Core tells a caller of a failure in the caller's protocol. What is left here breaks the answer off, visibly.
                Poll::Ready(Some(Err(error))) => {
                    this.body = Body::Empty;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => this.body = Body::Empty,
            },
        }
        ready!(this.settlement.poll(cx));
        Poll::Ready(None)
    }
}
