//! The provider's answer on its way to the caller.
//!
//! A whole answer is read whole, so that one that breaks off is an error and not half an answer. A
//! stream is held until its first content: until then a failure still gets a real status, a JSON
//! error or the next candidate. From then on every chunk goes out as it comes, and a failure becomes
//! one terminal error event.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{BoxFuture, Either, select};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Response, header};

use crate::body::{Body, BodyStream};
use crate::chat::{Accumulator, ChatEvent, ChatResponse, Warnings};
use crate::dialect::driver::{self, Driver};
use crate::dialect::meter::Meter;
use crate::dialect::relay::{Progress, Relay, TransportEnd};
use crate::dialect::{DialectId, Reply, StreamForm};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Outcome;
use crate::ports::Clock;
use crate::wire::json_string::mended;

use super::rejection::{self, unreachable};
use super::reply::{self, passing, stamp, warn};
use super::settle::Settlement;

/// Largest whole answer.
const MAX_ANSWER: usize = 64 << 20;
/// How long, and how much of, a stream is held for its first content.
const HOLD: Duration = Duration::from_secs(15);
const HOLD_BYTES: usize = 256 << 10;
/// How long, and for how much, a provider that has said its end is listened to. It usually ends the body
/// at once, and then its connection can be used again; one that does not must not keep the caller waiting.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 10;

/// What is known of an answer before it is read.
pub(super) struct Answer<'a> {
    pub(super) from: DialectId,
    pub(super) to: DialectId,
    pub(super) passthrough: bool,
    pub(super) stream: bool,
    pub(super) hide_usage: bool,
    pub(super) provider: &'a str,
    pub(super) reply: Reply,
    pub(super) warnings: Warnings,
}

/// Turns a provider's success into the caller's response.
pub(super) async fn deliver(
    answer: Answer<'_>,
    upstream: Response<Body>,
    clock: &dyn Clock,
    settlement: &mut Settlement,
) -> Result<Response<Body>> {
    let (parts, body) = upstream.into_parts();
    if let Some(coding) = rejection::coding(&parts.headers) {
        return Err(answer.invalid(&format!("answered in the encoding `{coding}`, which was not asked for")));
    }
    // A provider may answer a wish for a stream with one JSON object, and it may forget to say that it streams.
    let whole = !answer.stream || (is_json(&parts.headers) && !answer.is_array());
    let from = answer.from.codec();
    let upstream_id = parts.headers.get(from.request_id_header()).or_else(|| parts.headers.get("x-request-id"));
    let upstream_id = upstream_id.filter(|id| reply::is_id(id));
    settlement.answered(upstream_id.and_then(|id| id.to_str().ok()));

    let mut response = Response::new(Body::Empty);
    if answer.passthrough {
        *response.status_mut() = parts.status;
        *response.headers_mut() = passing(&parts.headers, answer.to);
    }
    if let Some(id) = upstream_id {
        response.headers_mut().insert(answer.to.codec().request_id_header(), id.clone());
    }
    if whole {
        let kept = parts.headers.get(header::CONTENT_TYPE).filter(|_| answer.passthrough).cloned();
        let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let bytes = collect(&answer, body, declared).await?;
        deliver_whole(answer, bytes, &parts.headers, kept, &mut response, settlement)?;
    } else {
        let kept = parts.headers.get(header::CONTENT_TYPE).filter(|_| answer.passthrough).cloned();
        deliver_stream(answer, body, kept, &mut response, clock, settlement).await?;
    }
    Ok(response)
}

/// Turns the events of a model that runs in process into the caller's response.
pub(super) fn local(
    dialect: DialectId,
    stream: bool,
    events: Vec<ChatEvent>,
    reply: Reply,
    settlement: &mut Settlement,
) -> Result<Response<Body>> {
    let mut accumulator = Accumulator::default();
    events.iter().cloned().for_each(|event| accumulator.push(event));
    let (whole, _) = accumulator.finish()?;
    settlement.used(whole.usage);
    let mut response = Response::new(Body::Empty);
    if !stream {
        finish_whole(dialect, &whole, &reply, Warnings::default(), &mut response, settlement);
        return Ok(response);
    }
    let content_type = stream_type(reply.form);
    let mut encoder = dialect.codec().stream_encoder(reply);
    let chunks = events.into_iter().filter_map(move |event| {
        let mut out = Vec::new();
        encoder.event(&event, &mut out);
        (!out.is_empty()).then(|| Bytes::from(out))
    });
    start_stream(&mut response, content_type, dialect, settlement);
    let settlement = settlement.take();
    *response.body_mut() = Body::Stream(Box::pin(LocalBody { chunks, settlement: Some(settlement) }));
    Ok(response)
}

/// The whole body of an answer.
async fn collect(answer: &Answer<'_>, body: Body, declared: Option<usize>) -> Result<Bytes> {
    body.collect_declared(MAX_ANSWER, declared).await.map_err(|error| match error.kind {
        ErrorKind::PayloadTooLarge => answer.invalid("answered more than the gateway reads whole"),
        ErrorKind::UpstreamUnavailable => {
            let message = format!("Provider `{}` broke off its answer. Try again in a moment.", answer.provider);
            Error { message, ..unreachable(answer.provider, error) }
        }
        _ => unreachable(answer.provider, error),
    })
}

fn deliver_whole(
    mut answer: Answer<'_>,
    bytes: Bytes,
    headers: &HeaderMap,
    kept: Option<HeaderValue>,
    response: &mut Response<Body>,
    settlement: &mut Settlement,
) -> Result<()> {
    if answer.passthrough {
        let usage = answer.from.codec().usage(&bytes);
        answer.require_answer(&bytes, usage.is_some(), headers)?;
        settlement.used(usage);
        warn(response.headers_mut(), &answer.warnings, settlement);
        response.headers_mut().insert(header::CONTENT_TYPE, kept.unwrap_or(HeaderValue::from_static("application/json")));
        *response.body_mut() = bytes.into();
        finish(response, answer.to, settlement);
        return Ok(());
    }
    let whole = answer.from.codec().decode_response(&mended(&bytes)).map_err(|error| {
        if let Ok(Some(stated)) = rejection::stated(answer.provider, answer.from, headers, &bytes) {
            return stated;
        }
        let mut invalid = answer.invalid("gave an answer that could not be understood");
        invalid.source = Some(error.source.unwrap_or(error.message));
        invalid
    })?;
    settlement.used(whole.usage);
    let warnings = std::mem::take(&mut answer.warnings);
    if answer.stream {
        replayed(answer, &whole, warnings, response, settlement);
    } else {
        finish_whole(answer.to, &whole, &answer.reply, warnings, response, settlement);
    }
    Ok(())
}

fn finish_whole(
    dialect: DialectId,
    whole: &ChatResponse,
    reply: &Reply,
    mut warnings: Warnings,
    response: &mut Response<Body>,
    settlement: &mut Settlement,
) {
    let body = dialect.codec().encode_response(whole, reply, &mut warnings);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    warn(response.headers_mut(), &warnings, settlement);
    *response.body_mut() = body.into();
    finish(response, dialect, settlement);
}

/// An answer that came whole, streamed to a caller who asked for a stream.
fn replayed(
    answer: Answer<'_>,
    whole: &ChatResponse,
    warnings: Warnings,
    response: &mut Response<Body>,
    settlement: &mut Settlement,
) {
    let content_type = stream_type(answer.reply.form);
    let (out, _) = driver::replay(whole, answer.to, answer.reply);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    warn(response.headers_mut(), &warnings, settlement);
    *response.body_mut() = out.into();
    finish(response, answer.to, settlement);
}

async fn deliver_stream(
    answer: Answer<'_>,
    body: Body,
    kept: Option<HeaderValue>,
    response: &mut Response<Body>,
    clock: &dyn Clock,
    settlement: &mut Settlement,
) -> Result<()> {
    let content_type = kept.unwrap_or_else(|| stream_type(answer.reply.form));
    let relay = answer.relay();
    let mut stream = RelayBody::new(into_stream(body), relay);
    stream.hold(clock).await;
    if let Some(error) = stream.relay.progress().error.clone().filter(|_| !stream.relay.progress().content) {
        return Err(error);
    }
    warn(response.headers_mut(), &answer.warnings, settlement);
    start_stream(response, content_type, answer.to, settlement);
    stream.settlement = Some(settlement.take());
    *response.body_mut() = Body::Stream(Box::pin(stream));
    Ok(())
}

fn start_stream(response: &mut Response<Body>, content_type: HeaderValue, dialect: DialectId, settlement: &mut Settlement) {
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    stamp(response.headers_mut(), dialect, settlement);
    settlement.responded(response.status().as_u16());
}

fn finish(response: &mut Response<Body>, dialect: DialectId, settlement: &mut Settlement) {
    stamp(response.headers_mut(), dialect, settlement);
    settlement.responded(response.status().as_u16());
    settlement.ended(Outcome::Complete);
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    content_type.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/json"))
}

fn stream_type(form: StreamForm) -> HeaderValue {
    match form {
        StreamForm::Sse => HeaderValue::from_static("text/event-stream; charset=utf-8"),
        StreamForm::JsonArray => HeaderValue::from_static("application/json; charset=utf-8"),
    }
}

fn into_stream(body: Body) -> BodyStream {
    match body {
        Body::Stream(stream) => stream,
        Body::Full(bytes) => Box::pin(futures_util::stream::iter([Ok(bytes)])),
        Body::Empty => Box::pin(futures_util::stream::empty()),
    }
}

impl Answer<'_> {
    /// Whether the provider itself streams a JSON array.
    fn is_array(&self) -> bool {
        self.passthrough && self.reply.form == StreamForm::JsonArray
    }

    fn relay(&self) -> Box<dyn Relay> {
        if self.passthrough {
            Box::new(Meter::new(self.from, self.reply.clone(), self.hide_usage, self.provider))
        } else {
            Box::new(Driver::new(self.from, self.to, self.reply.clone(), self.provider))
        }
    }

    /// Refuses a login page, half an answer and an error, which some providers and proxies send with status
    /// 200. Only the ends of an answer that states its usage are looked at.
    fn require_answer(&self, bytes: &Bytes, has_usage: bool, headers: &HeaderMap) -> Result<()> {
        let text = bytes.trim_ascii();
        let closed = matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')));
        let stated = match closed {
            true if has_usage => return Ok(()),
            true => rejection::stated(self.provider, self.from, headers, bytes).map_err(|why| why.to_string()),
            false => Err("neither an object nor an array".to_owned()),
        };
        match stated {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(error),
            Err(why) => Err(self.invalid("gave an answer that is not JSON").source(why)),
        }
    }

    fn invalid(&self, what: &str) -> Error {
        Error::new(ErrorKind::UpstreamInvalid, format!("Provider `{}` {what}.", self.provider))
    }
}

/// A streamed answer: what is held, then what comes.
struct RelayBody {
    held: Bytes,
    upstream: Option<BodyStream>,
    relay: Box<dyn Relay>,
    settlement: Option<Settlement>,
    /// What came after the provider's end, and how long more of it is waited for.
    late: usize,
    linger: Option<BoxFuture<'static, ()>>,
}

impl RelayBody {
    fn new(upstream: BodyStream, relay: Box<dyn Relay>) -> Self {
        Self { held: Bytes::new(), upstream: Some(upstream), relay, settlement: None, late: 0, linger: None }
    }

    /// Reads until the first content, the end, or enough.
    async fn hold(&mut self, clock: &dyn Clock) {
        let mut held = BytesMut::new();
        let begun = clock.now();
        let mut patience = clock.sleep(HOLD);
        while let Some(upstream) = &mut self.upstream {
            let chunk = match select(upstream.next(), patience).await {
                Either::Left((chunk, rest)) => {
                    patience = rest;
                    chunk
                }
                Either::Right(_) => break,
            };
            let out = self.take(chunk);
            let progress = self.relay.progress();
            let done = progress.content || progress.ended || progress.error.is_some();
            if held.is_empty() && done {
                self.held = out;
                return;
            }
            held.extend_from_slice(&out);
            // A provider that never pauses leaves the timer no turn.
            if done || held.len() > HOLD_BYTES || clock.now().since(begun) >= HOLD {
                break;
            }
        }
        self.held = held.freeze();
    }

    /// Relays one item of the upstream body. At its end, and at a provider's error, the upstream is let go.
    fn take(&mut self, chunk: Option<Result<Bytes>>) -> Bytes {
        let out = match chunk {
            Some(Ok(chunk)) => {
                if self.relay.progress().ended {
                    self.late += chunk.len();
                }
                let out = self.relay.feed(chunk);
                if self.relay.progress().error.is_none() && self.late <= LINGER_BYTES {
                    return out;
                }
                out
            }
            Some(Err(error)) => self.relay.finish(TransportEnd::Broken(error)),
            None => self.relay.finish(TransportEnd::Clean),
        };
        self.upstream = None;
        out
    }
}

impl Stream for RelayBody {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.held))));
        }
        while let Some(upstream) = &mut this.upstream {
            let chunk = match upstream.poll_next_unpin(context) {
                Poll::Pending if this.relay.progress().ended => {
                    std::task::ready!(this.poll_linger(context));
                    None
                }
                chunk => std::task::ready!(chunk),
            };
            let out = this.take(chunk);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(out)));
            }
        }
        if let Some(settlement) = &mut this.settlement {
            let complete = this.relay.progress().error.is_none();
            settlement.ended(if complete { Outcome::Complete } else { Outcome::Truncated });
        }
        this.settle();
        Poll::Ready(None)
    }
}

impl RelayBody {
    /// Ready when a provider that has said its end has had its time to end the body too.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(settlement) = &self.settlement else { return Poll::Ready(()) };
        self.linger.get_or_insert_with(|| settlement.sleep(LINGER)).as_mut().poll(context)
    }

    fn settle(&mut self) {
        if let Some(mut settlement) = self.settlement.take() {
            // A caller may leave as soon as it has read the end; it has everything then.
            let progress = self.relay.progress();
            if progress.ended && progress.error.is_none() && self.held.is_empty() {
                settlement.ended(Outcome::Complete);
            }
            let progress = Progress { usage: self.relay.usage(), ..self.relay.progress().clone() };
            settlement.streamed(&progress);
        }
    }
}

impl Drop for RelayBody {
    fn drop(&mut self) {
        self.settle();
    }
}

/// A streamed answer of the model that runs in process.
struct LocalBody<I> {
    chunks: I,
    settlement: Option<Settlement>,
}

impl<I: Iterator<Item = Bytes> + Unpin> Stream for LocalBody<I> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.chunks.next();
        if next.is_none()
            && let Some(mut settlement) = self.settlement.take()
        {
            settlement.ended(Outcome::Complete);
        }
        Poll::Ready(next.map(Ok))
    }
}
