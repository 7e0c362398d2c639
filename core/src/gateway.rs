//! The whole request walk, top to bottom.
//!
//! `walk` names the steps; each takes exactly what it needs and gives the next one's input. The
//! folder beside this file holds the longer steps:
//!
//! | file | step |
//! |---|---|
//! | `admit` | limits and budgets |
//! | `administer` | what an operator asks, at the administration's endpoints |
//! | `after` | what follows the response |
//! | `attempt` | one candidate: pass through or translate, sign, send, understand a failure |
//! | `deliver` | the provider's answer on its way to the caller, whole or streamed |
//! | `listing` | models, health, readiness |
//! | `live` | the configuration that requests see, and the stored document in it |
//! | `rejection` | a provider's errors, made fit for a caller and a log |
//! | `reply` | response headers, and errors in the caller's dialect |
//! | `settle` | the one settlement of every request |
//!
//! Invariant: every request, however it ends (an answer, an error, a drop at any await), leaves
//! exactly one [`Record`](crate::exchange::Record).

mod administer;
mod admit;
mod after;
mod attempt;
mod deliver;
mod listing;
pub(crate) mod live;
mod rejection;
mod reply;
mod settle;
#[cfg(test)]
mod walk;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use http::{HeaderValue, Response, header, request::Parts};

use crate::admin::{Answer, Asked, Desk, record};
use crate::body::{Body, too_large};
use crate::config::{self, Availability, Config, Diagnostic, Loaded, Target};
use crate::dialect::DialectId;
use crate::endpoint::{self, BodyLimit, Endpoint, Operation, Requires};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Inbound, Refused};
use crate::identity::{Caller, Permissions};
use crate::policy::auth::{self, Door, Keyring, Visit};
use crate::policy::estimate::{self, Measure};
use crate::policy::limit::{Limiter, Need};
use crate::ports::Ports;
use crate::route::Plan;
use crate::usage::UsageLog;
use crate::wire::envelope;

use after::Books;
use attempt::{Attempts, Payload};
use live::Live;
use reply::Refusal;
use settle::Settlement;

/// The gateway: ports, and the configuration that new requests see.
pub struct Gateway {
    ports: Ports,
    live: Arc<Live>,
    keyring: Keyring,
    limiter: Arc<Limiter>,
    books: Books,
    draining: AtomicBool,
}

/// A request under way: two futures, neither of which starts before it is polled.
pub struct Handled {
    /// The response. Dropping it (the client went away) cancels all work for the request. Its body
    /// must be polled to its end or dropped.
    pub response: BoxFuture<'static, Response<Body>>,
    /// Settles and records. The adapter registers it *before* it polls `response`, in a way that
    /// survives a client that goes away (`tokio::spawn`, `wait_until`); it waits for the end of the
    /// response's body itself, or for its drop. An adapter may poll it once inline when `response`
    /// is ready: for whole bodies it is usually ready too.
    pub after: BoxFuture<'static, ()>,
}

impl Gateway {
    /// Opens a gateway: looks up the secrets that the layers name, and compiles them. Gives the gateway and what is
    /// probably not meant, or everything that is wrong. `available` needs no `secrets`.
    ///
    /// Where the platform has a key-value store and cells, the document that is stored there is laid on top, from the
    /// first request on.
    pub async fn open(
        ports: Ports,
        loaded: Loaded,
        available: Availability,
    ) -> Result<(Arc<Self>, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut resolved = config::resolve(&loaded, &*ports.secrets, available).await?;
        let warnings = std::mem::take(&mut resolved.warnings);
        let live = Arc::new(Live::new(ports.clone(), loaded, resolved));
        let (keyring, limiter) = (Keyring::new(&ports), Arc::new(Limiter::new(&ports)));
        let books = Books { live: live.clone(), events: ports.events.clone(), usage: Arc::new(UsageLog::new(&ports)) };
        Ok((Arc::new(Self { ports, live, keyring, limiter, books, draining: AtomicBool::new(false) }), warnings))
    }

    /// The snapshot that a request arriving now would see.
    pub fn config(&self) -> Arc<Config> {
        self.live.config()
    }

    /// Administers the gateway from where its stores are at hand: a command line, say. `by` goes on record. The request is
    /// what would be sent to `/admin/v1`, without credentials; its author is the operator.
    pub async fn administer(&self, by: &str, request: http::Request<Bytes>) -> Answer {
        self.live.ready().await;
        let (parts, body) = request.into_parts();
        let operator = Caller { permissions: Permissions::ALL, informed: true, ..Caller::default() };
        let problem = match endpoint::resolve(&parts) {
            Ok(Endpoint { operation: Operation::Admin(route), named, body: limit, .. }) => {
                let asked = Asked { parts: &parts, named: &named, body: &body };
                let most = if let BodyLimit::AtMost(most) = limit { most } else { 0 };
                let fits = if body.len() > most { Err(too_large(most).into()) } else { Ok(()) };
                let desk = Desk::new(&self.live, &operator, by, "");
                match fits {
                    Ok(()) => desk.answer(route, &asked).await,
                    Err(problem) => Err(problem),
                }
            }
            Ok(_) => Err(Error::new(ErrorKind::NotFound, "This is no path of the administration.").into()),
            Err(error) => Err(error.into()),
        };
        problem.unwrap_or_else(|problem| Answer::of(&problem, ""))
    }

    /// From here on `/ready` answers 503, so that load balancers send new requests elsewhere. Requests are answered as before.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Gives back what this instance holds of leased limits. For an orderly end, after the last request.
    pub async fn close(&self) {
        self.limiter.release().await;
    }

    /// Handles a request. Never fails: every error is a response in the caller's dialect.
    pub fn handle(self: &Arc<Self>, inbound: Inbound) -> Handled {
        let gateway = self.clone();
        let (settlement, mut after) = settle::open(&self.ports, &self.books, inbound.request.method(), inbound.request.uri());
        if let Some(look) = self.live.due(settlement.received()) {
            after = Box::pin(join(look, after).map(|((), ())| ()));
        }
        let response = async move {
            let peer = inbound.peer;
            let (parts, body) = inbound.request.into_parts();
            let resolved = endpoint::resolve(&parts);
            if resolved.as_ref().is_ok_and(|endpoint| endpoint.requires != Requires::Anyone) {
                gateway.live.ready().await;
            }
            let config = gateway.live.config();
            let mut request = Request { gateway: &gateway, config: &config, parts: &parts, peer, settlement };
            let error = match resolved {
                Ok(endpoint) => match request.walk(&endpoint, body).await {
                    Ok(response) => return response,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let allow = (error.kind == ErrorKind::MethodNotAllowed).then(|| endpoint::allow(parts.uri.path())).flatten();
            let refusal = Refusal { error: &error, status: error.status(), allow };
            turn_away(&parts, request.dialect(), refusal, request.settlement)
        };
        Handled { response: Box::pin(response), after }
    }

    /// Answers and records a request that the platform refuses before it can be handled. The response is ready at once.
    pub fn refuse(&self, refused: Refused) -> Handled {
        let Refused { request, status, error } = refused;
        let (parts, ()) = request.into_parts();
        let (settlement, after) = settle::open(&self.ports, &self.books, &parts.method, &parts.uri);
        let refusal = Refusal { error: &error, status, allow: None };
        let response = turn_away(&parts, endpoint::guess_dialect(&parts), refusal, settlement);
        Handled { response: Box::pin(std::future::ready(response)), after }
    }
}

/// A refusal, in the words of the path's callers.
fn turn_away(parts: &Parts, dialect: DialectId, refusal: Refusal<'_>, settlement: Settlement) -> Response<Body> {
    match endpoint::is_admin(parts.uri.path()) {
        true => administer::refuse(refusal, settlement),
        false => reply::refuse(dialect, refusal, settlement),
    }
}

/// A request on its way: what every step may read.
struct Request<'a> {
    gateway: &'a Gateway,
    config: &'a Config,
    parts: &'a Parts,
    /// Where it comes from, if the platform knows.
    peer: Option<IpAddr>,
    settlement: Settlement,
}

impl Request<'_> {
    async fn walk(&mut self, endpoint: &Endpoint, body: Body) -> Result<Response<Body>> {
        self.settlement.resolved(endpoint);
        let caller = match self.identify(endpoint).await {
            Ok(caller) => caller,
            Err(error) => {
                if let Operation::Admin(route) = endpoint.operation {
                    let (live, id) = (&self.gateway.live, self.settlement.id());
                    record::stranger(live, route, self.parts, self.peer, id, &error).await;
                }
                return Err(error);
            }
        };
        match endpoint.operation {
            Operation::Health => Ok(listing::health(&mut self.settlement)),
            Operation::Ready => Ok(listing::ready(self.gateway.draining.load(Ordering::Relaxed), &mut self.settlement)),
            Operation::Models => listing::models(self.config, &caller, self.parts, endpoint, &mut self.settlement),
            Operation::Model => listing::model(self.config, &caller, endpoint, &mut self.settlement),
            Operation::Chat => self.chat(endpoint, &caller, body).await,
            Operation::Admin(route) => {
                let body = self.read(endpoint, &caller, body).await?;
                let asked = Asked { parts: self.parts, named: &endpoint.named, body: &body };
                let response = administer::answer(&self.gateway.live, &caller, route, &asked, &mut self.settlement).await;
                if !route.safe() {
                    self.gateway.keyring.forget();
                }
                Ok(response)
            }
        }
    }

    async fn chat(&mut self, endpoint: &Endpoint, caller: &Caller, body: Body) -> Result<Response<Body>> {
        let body = self.read(endpoint, caller, body).await?;
        let peek = envelope::peek(&body)?;
        let model = requested_model(endpoint, &peek)?;
        let stream = endpoint.stream.unwrap_or_else(|| peek.stream.unwrap_or(false));
        self.settlement.asked(&model, stream, body.len());

        let plan = auth::plan(self.config, caller, &model)?;
        self.settlement.planned(&plan);
        let limit = plan.max_body.unwrap_or(self.config.server.max_body);
        if body.len() > limit {
            return Err(too_large(limit));
        }
        self.admit(caller, &model, &plan, &body).await?;

        let payload = Payload::new(endpoint, self.parts, body, peek, model, stream);
        let attempts = Attempts::new(&self.gateway.ports, payload);
        attempts.run(&plan, &mut self.settlement).await
    }

    async fn admit(&mut self, caller: &Caller, model: &str, plan: &Plan, body: &Bytes) -> Result<()> {
        let need = || {
            let measure = estimate::measure(body);
            plan.candidates.iter().map(|candidate| need(&measure, &candidate.target)).reduce(Need::or).unwrap_or_default()
        };
        let Gateway { limiter, ports, .. } = self.gateway;
        let asked = admit::Asked { limiter, config: self.config, caller, model, plan, clock: &*ports.clock };
        asked.admit(need, &mut self.settlement).await
    }

    /// Who asks. What the administration's endpoints require beyond that, its desk sees to.
    async fn identify(&mut self, endpoint: &Endpoint) -> Result<Caller> {
        let administers = matches!(endpoint.operation, Operation::Admin(_));
        if administers && administer::is_off(self.config) && !auth::shows_virtual_key(self.parts) {
            return Err(administer::switched_off());
        }
        let open = endpoint.operation == Operation::Chat && self.config.routes.iter().any(|route| route.anonymous);
        let door = if administers { Door::Administration } else { Door::Calls { anonymous: open } };
        let Gateway { ports, keyring, .. } = self.gateway;
        let visit = Visit { parts: self.parts, address: self.peer, door, config: self.config, ports, keyring };
        let caller = match endpoint.requires {
            Requires::Anyone => Caller::default(),
            Requires::Bootstrap => visit.bootstrap().await?,
            Requires::Known | Requires::Holds(_) => visit.identify().await?,
        };
        self.settlement.identified(&caller);
        match endpoint.requires {
            Requires::Holds(permission) if !administers => auth::demand(&caller, permission)?,
            _ => {}
        }
        Ok(caller)
    }

    /// Reads the body whole, within the largest limit any route has; the route's own is checked once it is known.
    async fn read(&self, endpoint: &Endpoint, caller: &Caller, body: Body) -> Result<Bytes> {
        match endpoint.body {
            BodyLimit::None => return body.collect(0).await,
            BodyLimit::AtMost(most) => return body.collect(most).await,
            BodyLimit::Configured => {}
        }
        require_json(self.parts)?;
        // Who shows no key has what the routes allow that let anybody in, not what any route does.
        let Config { routes, server, .. } = self.config;
        let anonymous = auth::is_anonymous(self.config, caller);
        let limits = routes.iter().filter(|route| !anonymous || route.anonymous);
        let limits = limits.map(|route| route.max_body.unwrap_or(server.max_body));
        let largest = limits.fold(if anonymous { 0 } else { server.max_body }, usize::max);
        let declared =
            self.parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|declared| declared > largest) {
            return Err(too_large(largest));
        }
        let body = body.collect_declared(largest, declared).await?;
        if body.is_empty() {
            return Err(Error::new(ErrorKind::InvalidRequest, "The body is empty. Send a JSON object."));
        }
        Ok(body)
    }

    fn dialect(&self) -> DialectId {
        self.settlement.dialect().unwrap_or_else(|| endpoint::guess_dialect(self.parts))
    }
}

/// What a request may take at one target.
fn need(measure: &Measure<'_>, target: &Target) -> Need {
    let bound = measure.bound(target, None);
    let cost = target.price.as_deref().map(|price| bound.cost(price));
    Need { input: bound.input, output: bound.output, cost }
}

/// A body must say that it is JSON. A browser cannot send that across origins without asking first,
/// so a page cannot use a gateway on its visitor's machine. JSON is UTF-8 (RFC 8259) and not compressed:
/// a body that says otherwise would be read as what it is not.
fn require_json(parts: &Parts) -> Result<()> {
    let refuse = |message: String| Err(Error::new(ErrorKind::UnsupportedMediaType, message));
    let shown = |text: &str| text.chars().take(60).collect::<String>();
    let field = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    for coding in parts.headers.get_all(header::CONTENT_ENCODING).iter().map(field) {
        if !coding.trim().eq_ignore_ascii_case("identity") {
            return refuse(format!("The body is encoded as `{}`. Send it without Content-Encoding.", shown(&coding)));
        }
    }
    let mut types = parts.headers.get_all(header::CONTENT_TYPE).iter().map(field);
    let declared = types.next().unwrap_or_default();
    if types.next().is_some() {
        return refuse("There are several Content-Types. Send `Content-Type: application/json` once.".to_owned());
    }
    let mut parameters = declared.split(';').map(str::trim);
    let essence = parameters.next().unwrap_or("");
    if !essence.eq_ignore_ascii_case("application/json") && !essence.to_ascii_lowercase().ends_with("+json") {
        return match essence {
            "" => refuse("There is no Content-Type. Send `Content-Type: application/json`.".to_owned()),
            other => refuse(format!("The body is `{}`. Send JSON with `Content-Type: application/json`.", shown(other))),
        };
    }
    let charset =
        parameters.filter_map(|parameter| parameter.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    match charset.map(|(_, charset)| charset.trim_matches('"')) {
        Some(other) if !["utf-8", "utf8", "us-ascii"].iter().any(|known| other.eq_ignore_ascii_case(known)) => {
            refuse(format!("The body is in `{}`. Send JSON in UTF-8.", shown(other)))
        }
        _ => Ok(()),
    }
}

fn requested_model(endpoint: &Endpoint, peek: &envelope::Peek) -> Result<String> {
    let model = match (&endpoint.model, &peek.model) {
        (Some(model), _) => model.clone(),
        (None, Some(model)) => model.clone(),
        (None, None) => {
            return Err(Error::invalid("model", "`model` is missing. Name one as `provider/model`, or `demo/echo` to try."));
        }
    };
    endpoint::model_name(model)
}
