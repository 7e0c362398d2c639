//! The one settlement of every request.
//!
//! A [`Settlement`] is opened before the first step and travels with the request: into the response
//! for whole bodies, into the body for streams. Dropping it is what settles; a drop before anybody
//! said how the request ended means that the caller went away.

use std::sync::Arc;
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Uri};

use crate::chat::{Usage, Warnings};
use crate::dialect::DialectId;
use crate::dialect::relay::Progress;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::exchange::{Outcome, Record};
use crate::identity::Caller;
use crate::model::Price;
use crate::policy::limit::{Admission, Limiter};
use crate::ports::{Clock, Ports, Timestamp};
use crate::route::{Candidate, Plan};
use crate::usage::NanoUsd;

use super::after::{self, Books, Told};

/// Bytes of text that make about one token, for estimates of what was delivered.
const BYTES_PER_TOKEN: u64 = 4;

/// Most characters of a provider's id that are recorded.
const LONGEST_ID: usize = 128;

/// Opens the settlement of a request, and the work that follows it.
pub(super) fn open(ports: &Ports, books: &Books, method: &Method, uri: &Uri) -> (Settlement, BoxFuture<'static, ()>) {
    let (sender, receiver) = mpsc::unbounded();
    let record = Record {
        id: request_id(ports),
        received: ports.clock.now(),
        method: clipped(method.as_str(), 32),
        path: clipped(uri.path(), 256),
        ..Record::default()
    };
    let after = after::after(books.clone(), ports.clock.clone(), receiver);
    let settlement = Settlement {
        record: Some(Box::new(record)),
        dialect: None,
        request_bytes: 0,
        sender: Some(sender),
        clock: ports.clock.clone(),
        max_output: None,
        price: None,
        informed: false,
        standings: HeaderMap::new(),
    };
    (settlement, Box::pin(after))
}

/// The record of a request under way; settles when dropped.
pub(super) struct Settlement {
    record: Option<Box<Record>>,
    dialect: Option<DialectId>,
    request_bytes: usize,
    sender: Option<mpsc::UnboundedSender<Told>>,
    /// How limits and budgets stand, for the response.
    standings: HeaderMap,
    clock: Arc<dyn Clock>,
    max_output: Option<u64>,
    /// What the target costs that was tried last.
    price: Option<Arc<Price>>,
    /// Whether the caller may know what it costs, and what is left.
    informed: bool,
}

impl Settlement {
    /// Hands the settlement on, to a body say; nothing is left here to settle.
    pub(super) fn take(&mut self) -> Self {
        let (record, sender) = (self.record.take(), self.sender.take());
        let (standings, price) = (std::mem::take(&mut self.standings), self.price.take());
        Self { record, sender, standings, price, clock: self.clock.clone(), ..*self }
    }

    /// Waits, by the clock that measures the request.
    pub(super) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clock.clone();
        Box::pin(async move { clock.sleep(duration).await })
    }

    fn record(&mut self) -> &mut Record {
        self.record.as_mut().expect("the record is taken only by drop")
    }

    pub(super) fn id(&self) -> &str {
        &self.record.as_ref().expect("the record is taken only by drop").id
    }

    pub(super) fn received(&self) -> Timestamp {
        self.record.as_ref().expect("the record is taken only by drop").received
    }

    pub(super) fn dialect(&self) -> Option<DialectId> {
        self.dialect
    }

    pub(super) fn resolved(&mut self, endpoint: &Endpoint) {
        self.dialect = Some(endpoint.dialect);
        let record = self.record();
        record.operation = endpoint.operation.name();
        record.dialect = endpoint.dialect.name();
    }

    pub(super) fn identified(&mut self, caller: &Caller) {
        self.informed = caller.informed;
        let record = self.record();
        record.caller = caller.name();
        record.tenant = caller.tenant.as_ref().map(ToString::to_string);
        record.team = caller.team.as_ref().map(ToString::to_string);
        record.application = caller.application.as_ref().map(ToString::to_string);
        record.user = caller.user.as_ref().map(ToString::to_string);
        record.labels = caller.labels.clone();
    }

    pub(super) fn asked(&mut self, model: &str, stream: bool, request_bytes: usize) {
        self.request_bytes = request_bytes;
        let record = self.record();
        record.model = model.to_owned();
        record.stream = stream;
    }

    pub(super) fn planned(&mut self, plan: &Plan) {
        self.record().route.clone_from(&plan.route);
    }

    pub(super) fn tried(&mut self, candidate: &Candidate, path: &'static str) {
        self.max_output = candidate.target.limits.max_output;
        self.price.clone_from(&candidate.target.price);
        let record = self.record();
        record.attempts += 1;
        record.provider = Some(candidate.target.provider.row.name.clone().into_owned());
        record.upstream_model = Some(candidate.target.model.clone());
        record.because = candidate.because;
        record.path_taken = path;
        record.upstream_id = None;
    }

    /// What is about to be reserved: whoever settles knows it from here on, however the request ends.
    pub(super) fn admitting(&mut self, limiter: Arc<Limiter>, admission: Arc<Admission>) {
        if let Some(sender) = &self.sender {
            let _ = sender.unbounded_send(Told::Admitting(limiter, admission));
        }
    }

    /// What the response says of limits and budgets.
    pub(super) fn limited(&mut self, standings: HeaderMap) {
        self.standings = standings;
    }

    pub(super) fn standings(&self) -> &HeaderMap {
        &self.standings
    }

    /// What the request costs as far as it is known yet, for a caller that may know.
    pub(super) fn told_cost(&self) -> Option<NanoUsd> {
        self.cost(self.record.as_deref()?).filter(|_| self.informed)
    }

    fn cost(&self, record: &Record) -> Option<NanoUsd> {
        Some(self.price.as_deref()?.cost(&record.usage?))
    }

    /// The target's name for the response header.
    pub(super) fn target(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        Some(format!("{}/{}", record.provider.as_deref()?, record.upstream_model.as_deref()?))
    }

    pub(super) fn answered(&mut self, upstream_id: Option<&str>) {
        self.record().upstream_id = upstream_id.map(|id| clipped(id, LONGEST_ID));
    }

    pub(super) fn warned(&mut self, warnings: &Warnings) {
        if !warnings.is_empty() {
            self.record().warnings = warnings.header();
        }
    }

    pub(super) fn used(&mut self, usage: Option<Usage>) {
        self.record().usage = usage;
    }

    /// The response's headers are on their way.
    pub(super) fn responded(&mut self, status: u16) {
        let now = self.clock.now();
        let record = self.record();
        record.status = status;
        record.first_byte = Some(now.since(record.received));
    }

    /// Says how the request ended. The drop that follows settles.
    pub(super) fn ended(&mut self, outcome: Outcome) {
        self.record().outcome = Some(outcome);
    }

    pub(super) fn failed(&mut self, error: &Error) {
        let record = self.record();
        record.error = Some(error.kind.name());
        record.cause = cause(error);
        if record.upstream_id.is_none() {
            let id = error.upstream.as_ref().and_then(|upstream| upstream.request_id.as_deref());
            record.upstream_id = id.map(|id| clipped(id, LONGEST_ID));
        }
    }

    /// The request was refused for a reason that is no [`ErrorKind`](crate::error::ErrorKind).
    pub(super) fn refused(&mut self, code: &'static str, cause: &str) {
        let record = self.record();
        record.error = Some(code);
        record.cause = Some(clipped(cause, 500));
    }

    /// Takes over what a streamed body came to, complete or not.
    pub(super) fn streamed(&mut self, progress: &Progress) {
        if let Some(error) = &progress.error {
            self.failed(error);
        }
        let estimate = self.estimate(progress);
        let record = self.record();
        record.skipped = progress.skipped;
        if record.upstream_id.is_none() {
            record.upstream_id = progress.response_id.as_deref().map(|id| clipped(id, LONGEST_ID));
        }
        // Usage that came before the end counts what was delivered until then only in part.
        match progress.usage {
            Some(usage) if progress.ended || usage.output_total() >= estimate.output => record.usage = Some(usage),
            Some(usage) => {
                record.usage =
                    Some(Usage { output: estimate.output.saturating_sub(usage.reasoning + usage.audio_output), ..usage });
                record.estimated = true;
            }
            None => {
                record.usage = Some(estimate);
                record.estimated = true;
            }
        }
    }

    fn estimate(&self, progress: &Progress) -> Usage {
        let output = (progress.content_bytes as u64).div_ceil(BYTES_PER_TOKEN);
        Usage {
            input: (self.request_bytes as u64).div_ceil(BYTES_PER_TOKEN),
            output: self.max_output.map_or(output, |most| output.min(most)),
            ..Usage::default()
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        let (Some(mut record), Some(sender)) = (self.record.take(), self.sender.take()) else { return };
        record.elapsed = self.clock.now().since(record.received);
        let outcome = *record.outcome.get_or_insert(Outcome::Abandoned);
        if outcome == Outcome::Abandoned && record.usage.is_none() && record.attempts > 0 {
            // The provider has read the request, if not more.
            record.usage = Some(self.estimate(&Progress::default()));
            record.estimated = true;
        }
        record.cost = self.cost(&record);
        // The receiver is gone only when the platform is shutting down without `after`.
        let _ = sender.unbounded_send(Told::Ended(record));
    }
}

/// The operator's side of an error: its source, and the provider's own words, cut short.
fn cause(error: &Error) -> Option<String> {
    let mut cause = error.source.clone().unwrap_or_else(|| error.message.clone());
    if let Some(upstream) = &error.upstream
        && upstream.status != 0
    {
        cause = format!("{} answered {}: {cause}", upstream.provider, upstream.status);
    }
    Some(clipped(&cause, 500))
}

/// What others wrote, cut short: a record is bounded, whatever a provider sends.
fn clipped(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn request_id(ports: &Ports) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0; 20];
    ports.entropy.fill(&mut bytes);
    let mut id = String::with_capacity(24);
    id.push_str("req_");
    id.extend(bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte & 31)])));
    id
}
