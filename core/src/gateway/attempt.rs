//! Attempts: one candidate after the other, until one answers or none is left.
//!
//! | caller and provider | path | what happens to the bytes |
//! |---|---|---|
//! | same dialect | pass through | the model's name is spliced; a stream's usage may be asked for |
//! | same dialect, but the request carries state that only Edgeway understands | translate | the request is decoded and encoded, the state taken out; the answer passes through |
//! | different dialects | translate | decoded once, encoded for each candidate |
//! | a provider that is served in process | local | decoded; events come from a function |
//!
//! A failure before any content moves on to the next candidate when its kind allows; then the last
//! error is the answer, except that a caller's own mistake stops at once.

use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Uri};

use crate::body::Body;
use crate::chat::{ChatRequest, Role, Warnings};
use crate::dialect::{Dialect, DialectId, EncodedRequest, Reply, RequestHead, StreamForm, Target};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ports::{Network, Outbound, Ports};
use crate::provider::credential;
use crate::route::{Candidate, Plan};
use crate::wire::envelope::{Edits, Peek};

use super::deliver::{self, Answer};
use super::rejection;
use super::settle::Settlement;

/// Largest body that is joined from pieces.
const JOINED: usize = 64 << 10;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("edgeway/", env!("CARGO_PKG_VERSION")));

/// A chat request as it came, and decoded once somebody needs its meaning.
pub(super) struct Payload<'a> {
    pub(super) dialect: DialectId,
    pub(super) form: StreamForm,
    pub(super) model: String,
    pub(super) stream: bool,
    parts: &'a Parts,
    body: Bytes,
    peek: Peek,
    path_model: Option<&'a str>,
    path_stream: Option<bool>,
    decoded: Option<ChatRequest>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, parts: &'a Parts, body: Bytes, peek: Peek, model: String, stream: bool) -> Self {
        Self {
            dialect: endpoint.dialect,
            form: endpoint.form,
            model,
            stream,
            parts,
            body,
            peek,
            path_model: endpoint.model.as_deref(),
            path_stream: endpoint.stream,
            decoded: None,
        }
    }

    /// The request's meaning.
    fn chat(&mut self) -> Result<&ChatRequest> {
        if self.decoded.is_none() {
            let head = RequestHead { model: self.path_model, stream: self.path_stream, headers: &self.parts.headers };
            self.decoded = Some(self.dialect.codec().decode_request(head, &self.body)?);
        }
        Ok(self.decoded.as_ref().expect("it was just decoded"))
    }

    /// Whether the request holds state that only Edgeway understands, see [`crate::chat::carry`].
    fn carries_state(&self) -> bool {
        crate::chat::carry::is_carried_in(&self.body, self.dialect)
    }
}

/// The attempts at one request.
pub(super) struct Attempts<'a> {
    ports: &'a Ports,
    payload: Payload<'a>,
}

/// What is sent to a candidate, and how its answer is read.
struct Prepared {
    dialect: DialectId,
    /// Whether the caller's own bytes are sent.
    verbatim: bool,
    /// Whether the provider's own bytes are the answer: both speak the same dialect.
    passthrough: bool,
    /// The body, in pieces that go out one after the other.
    body: Vec<Bytes>,
    headers: Vec<(HeaderName, HeaderValue)>,
    hide_usage: bool,
    warnings: Warnings,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(ports: &'a Ports, payload: Payload<'a>) -> Self {
        Self { ports, payload }
    }

    pub(super) async fn run(mut self, plan: &Plan, settlement: &mut Settlement) -> Result<Response<Body>> {
        let mut last = None;
        for candidate in &plan.candidates {
            let error = match self.one(candidate, settlement).await {
                Ok(response) => return Ok(response),
                Err(error) => self.without_key(candidate, error).await,
            };
            if error.kind.facts().retry == Retry::Never {
                return Err(error);
            }
            last = Some(most_useful(last, error));
        }
        Err(last
            .unwrap_or_else(|| Error::new(ErrorKind::Misconfigured, "The route has no targets. Ask the operator to add one.")))
    }

    async fn one(&mut self, candidate: &Candidate, settlement: &mut Settlement) -> Result<Response<Body>> {
        if candidate.target.provider.row.speaks.is_empty() {
            settlement.tried(candidate, "local");
            return self.local(settlement);
        }
        let mut prepared = self.prepare(candidate)?;
        settlement.tried(candidate, if prepared.verbatim { "passthrough" } else { "translate" });
        let response = self.send(candidate, &mut prepared).await?;
        let answer = Answer {
            from: prepared.dialect,
            to: self.payload.dialect,
            passthrough: prepared.passthrough,
            stream: self.payload.stream,
            hide_usage: prepared.hide_usage,
            provider: &candidate.target.provider.row.name,
            reply: self.reply(settlement),
            warnings: prepared.warnings,
        };
        deliver::deliver(answer, response, &*self.ports.clock, settlement).await
    }

    /// The built-in model: a function in place of a provider.
    fn local(&mut self, settlement: &mut Settlement) -> Result<Response<Body>> {
        let (dialect, stream) = (self.payload.dialect, self.payload.stream);
        self.payload.chat()?;
        let reply = self.reply(settlement);
        let events = crate::provider::demo::answer(self.payload.chat()?, &reply.id, reply.created);
        deliver::local(dialect, stream, events, reply, settlement)
    }

    fn reply(&self, settlement: &Settlement) -> Reply {
        let mut reply = Reply {
            id: settlement.id().to_owned(),
            model: self.payload.model.clone(),
            created: settlement.received().seconds(),
            usage: self.payload.peek.include_usage == Some(true) || self.payload.dialect != DialectId::OpenAiChat,
            form: self.payload.form,
            function_call: false,
        };
        if let Some(chat) = &self.payload.decoded {
            self.payload.dialect.codec().form(chat, &mut reply);
        }
        reply
    }

    fn prepare(&mut self, candidate: &Candidate) -> Result<Prepared> {
        let row = &candidate.target.provider.row;
        let dialect = row.dialect_for(self.payload.dialect);
        if dialect == self.payload.dialect && !self.payload.carries_state() {
            return Ok(self.pass(candidate, dialect));
        }
        let mut warnings = Warnings::default();
        let target =
            Target { provider: &row.name, model: &candidate.target.model, quirks: &row.quirks, limits: candidate.target.limits };
        let caller = self.payload.dialect;
        let chat = self.payload.chat()?;
        if caller.codec().continues_answers() && !dialect.codec().continues_answers() {
            refuse_prefill(chat, &row.name)?;
        }
        let encoded = dialect.codec().encode_request(chat, target, &mut warnings).map_err(|error| chat.refused(caller, error));
        let EncodedRequest { body, mut headers } = encoded?;
        warnings.rename(|at| chat.named(caller, at));
        let passthrough = dialect == self.payload.dialect;
        if passthrough {
            // The caller's own word goes before what its body lets guess.
            let own = self.protocol_headers(candidate, dialect);
            headers.retain(|(name, _)| own.iter().all(|(given, _)| given != name));
            headers.extend(own);
        }
        let hide_usage = passthrough && self.must_ask_usage(candidate, dialect);
        Ok(Prepared { dialect, verbatim: false, passthrough, body: vec![body], headers, hide_usage, warnings })
    }

    /// Headers of the caller's protocol that its provider may see too.
    fn protocol_headers(&self, candidate: &Candidate, dialect: DialectId) -> Vec<(HeaderName, HeaderValue)> {
        let quirks = &candidate.target.provider.row.quirks;
        let headers = dialect.codec().request_headers().iter().filter(|name| quirks.beta_headers || !name.ends_with("-beta"));
        let headers = headers.flat_map(|name| {
            let name = HeaderName::from_static(name);
            self.payload.parts.headers.get_all(&name).into_iter().map(move |value| (name.clone(), value.clone()))
        });
        headers.collect()
    }

    /// Whether a stream's usage has to be asked for, because the caller did not.
    fn must_ask_usage(&self, candidate: &Candidate, dialect: DialectId) -> bool {
        let quirks = &candidate.target.provider.row.quirks;
        let Payload { peek, stream, .. } = &self.payload;
        dialect == DialectId::OpenAiChat && *stream && peek.include_usage != Some(true) && !quirks.no_stream_options
    }

    /// The caller's own bytes, but for the model's name and the wish for usage.
    fn pass(&self, candidate: &Candidate, dialect: DialectId) -> Prepared {
        let Payload { peek, body, .. } = &self.payload;
        let ask_usage = self.must_ask_usage(candidate, dialect);
        let model = self.payload.path_model.is_none().then_some(candidate.target.model.as_str());
        let body = peek.pieces(body, Edits { model, include_usage: ask_usage });
        Prepared {
            dialect,
            verbatim: true,
            passthrough: true,
            body,
            headers: self.protocol_headers(candidate, dialect),
            hide_usage: ask_usage,
            warnings: Warnings::default(),
        }
    }

    /// The gateway's own key never leaves in an error, wherever the provider quoted it.
    async fn without_key(&self, candidate: &Candidate, error: Error) -> Error {
        match &candidate.target.provider.key {
            Some(name) => match self.ports.secrets.secret(name).await {
                Ok(Some(key)) => rejection::without_key(error, key.expose()),
                _ => error,
            },
            None => error,
        }
    }

    /// Signs and sends; a response that is no success becomes an error.
    async fn send(&self, candidate: &Candidate, prepared: &mut Prepared) -> Result<Response<Body>> {
        let entry = &candidate.target.provider;
        let codec = prepared.dialect.codec();
        let base = entry.row.base_url(prepared.dialect).expect("the dialect was chosen among those that the provider speaks");
        // What passes through has the form that the caller asked for; what is translated comes as events.
        let form = if prepared.passthrough { self.payload.form } else { StreamForm::Sse };
        let uri = address(base, codec, &candidate.target.model, self.payload.stream.then_some(form))?;
        let key = match &entry.key {
            Some(name) => self.ports.secrets.secret(name).await?,
            None => None,
        };
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        for (name, value) in codec.fixed_headers() {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        // A caller may send a header more than once: all of them replace what every request has.
        prepared.headers.iter().for_each(|(name, _)| drop(headers.remove(name)));
        for (name, value) in &prepared.headers {
            headers.append(name, value.clone());
        }
        for (name, value) in &entry.headers {
            headers.insert(name, value.clone());
        }
        credential::authorize(&entry.row, prepared.dialect, key.as_ref(), &mut headers)?;

        // A literal address in the configuration is the operator's own word for it.
        let literal = uri
            .host()
            .is_some_and(|host| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() || host == "localhost");
        let network = if entry.row.local || literal { Network::Any } else { Network::Public };
        let mut request = Request::new(body_of(std::mem::take(&mut prepared.body), &mut headers));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (Method::POST, uri, headers);
        let response = self.ports.http.send(Outbound { request, timeouts: candidate.timeouts, network }).await;
        match response {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Err(rejection::read(&entry.row.name, prepared.dialect, response).await),
            Err(error) => Err(rejection::unreachable(&entry.row.name, error)),
        }
    }
}

/// A body from its pieces. A small one is joined, for one write; a large one is not copied.
fn body_of(mut pieces: Vec<Bytes>, headers: &mut HeaderMap) -> Body {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    match pieces.len() {
        1 => pieces.remove(0).into(),
        _ if length <= JOINED => pieces.concat().into(),
        _ => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            Body::stream(stream::iter(pieces.into_iter().map(Ok)))
        }
    }
}

/// A provider that begins anew would answer something else than what the caller's text begins with.
fn refuse_prefill(chat: &ChatRequest, provider: &str) -> Result<()> {
    match chat.messages.last() {
        Some(message) if message.role == Role::Assistant => {
            let message = format!(
                "The conversation ends with an assistant message; `{provider}` cannot continue one. \
                 End with a user message, or choose a model whose provider speaks anthropic_messages."
            );
            Err(Error::unsupported("messages", message))
        }
        _ => Ok(()),
    }
}

fn address(base: &str, codec: &dyn Dialect, model: &str, stream: Option<StreamForm>) -> Result<Uri> {
    let path = codec.path(model, stream);
    Uri::try_from(format!("{base}{path}")).map_err(|why| {
        Error::new(ErrorKind::Misconfigured, "The provider's address cannot be used.").source(format_args!("{base}{path}: {why}"))
    })
}

/// Of two failed attempts, the error that tells the caller more: one that a provider spelled out
/// beats one that could not be reached, and what the caller can change beats what it cannot.
fn most_useful(last: Option<Error>, next: Error) -> Error {
    let rank = |error: &Error| match error.kind {
        ErrorKind::RateLimited => 3,
        ErrorKind::ContextLengthExceeded | ErrorKind::Unsupported | ErrorKind::ModelNotFound => 2,
        ErrorKind::Misconfigured => 0,
        _ => 1,
    };
    match last {
        Some(last) if rank(&last) > rank(&next) => last,
        _ => next,
    }
}
