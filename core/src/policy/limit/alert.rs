//! Alerts: a budget runs out.
//!
//! Each threshold is told once in each window, whichever instance sees it first: whoever is granted the one unit of the
//! alert's own allowance, which begins anew with the budget. It is told as an event of the gateway and, if there is one, to
//! a webhook, signed as [Standard Webhooks](https://www.standardwebhooks.com) says.
//!
//! 100 per cent is also told when a request is refused and nothing is reserved any more: a budget seldom ends at its last cent.
//!
//! Invariant: at most [`TOLD`] budgets are remembered; whatever is forgotten is asked of the cell again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use sha2::{Digest, Sha256};

use super::limiter::Settled;
use super::refusal::date;
use super::rule::{Amount, Quota};
use crate::body::Body;
use crate::cell::allowance::{self, Allowance, Hold, LONGEST, Reserve, Terms};
use crate::cell::command;
use crate::config::Webhook;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Notice;
use crate::ports::{Event, Network, Outbound, Ports, Secret, Timeouts, Timestamp};
use crate::usage::NanoUsd;

/// How many budgets are remembered.
const TOLD: usize = 1024;
/// How often a webhook is tried, and how long it waits after the first failure.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// How long a webhook may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells of budgets that run out.
pub(super) struct Alarm {
    ports: Ports,
    /// Of a budget's cell: the bucket of its window, and the highest threshold that was told in it.
    told: Mutex<HashMap<String, (u64, u8)>>,
}

/// A threshold that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alert {
    quota: Quota,
    percent: u8,
    spent: NanoUsd,
    allowed: NanoUsd,
    /// When the budget begins anew.
    anew: Option<Timestamp>,
    at: Timestamp,
    /// The same for the same threshold in the same window.
    id: String,
}

impl Alarm {
    pub(super) fn new(ports: Ports) -> Self {
        Self { ports, told: Mutex::default() }
    }

    /// Tells what a settled budget has reached, and no one has told. `request` is the one that reached it.
    pub(super) async fn look(&self, settled: &Settled, webhook: Option<&Webhook>, request: &str) {
        let (Amount::Budget(budget), Some(cells)) = (&settled.quota.amount, &self.ports.cells) else { return };
        let (now, window) = (self.ports.clock.now(), budget.per.window());
        let allowed = budget.amount.0.saturating_add(settled.credit);
        let reached = |percent: u8| u128::from(settled.spent) * 100 >= u128::from(allowed) * u128::from(percent);
        let bucket = window.bucket(now);
        let before = self.told(&settled.quota.cell, bucket);
        let due = |percent: &u8| *percent > before && (reached(*percent) || settled.stopped && *percent <= 100);
        for percent in budget.alerts.iter().copied().filter(due) {
            let terms = Terms { limit: 1, window };
            let id = self.ports.entropy.u64();
            let claim = Reserve { terms, id, amount: 1, least: 1, ttl: LONGEST, hold: Hold::Now, after: None };
            let cell = format!("alert/{}/{percent}", settled.quota.cell);
            let claimed = command::<Allowance>(&**cells, &cell, &allowance::Command::Reserve(claim)).await;
            match claimed {
                // The next request that settles looks again.
                Err(_) => return,
                Ok(reply) => {
                    self.remember(&settled.quota.cell, bucket, percent);
                    if matches!(reply, allowance::Reply::Granted { .. }) {
                        let alert = Alert {
                            quota: settled.quota.clone(),
                            percent,
                            spent: NanoUsd(settled.spent),
                            allowed: NanoUsd(allowed),
                            anew: window.end(bucket),
                            at: now,
                            id: message_id(&cell, bucket),
                        };
                        self.tell(&alert, webhook, request).await;
                    }
                }
            }
        }
    }

    /// Whether a budget has reached a threshold that this instance has not told, or heard to be told.
    pub(super) fn is_due(&self, settled: &Settled) -> bool {
        self.reaches(&settled.quota, settled.spent, settled.credit, settled.stopped)
    }

    /// The same of its parts.
    pub(super) fn reaches(&self, quota: &Quota, spent: u64, credit: u64, stopped: bool) -> bool {
        let Amount::Budget(budget) = &quota.amount else { return false };
        let allowed = u128::from(budget.amount.0.saturating_add(credit));
        let reached = |percent: &&u8| u128::from(spent) * 100 >= allowed * u128::from(**percent) || stopped;
        let Some(highest) = budget.alerts.iter().filter(reached).max() else { return false };
        self.told(&quota.cell, budget.per.window().bucket(self.ports.clock.now())) < *highest
    }

    /// The highest threshold of a budget that was told in a window.
    pub(super) fn told(&self, cell: &str, bucket: u64) -> u8 {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(cell).filter(|(at, _)| *at == bucket).map_or(0, |(_, percent)| *percent)
    }

    fn remember(&self, cell: &str, bucket: u64, percent: u8) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD && !told.contains_key(cell) {
            told.clear();
        }
        let entry = told.entry(cell.to_owned()).or_insert((bucket, 0));
        *entry = if entry.0 == bucket { (bucket, entry.1.max(percent)) } else { (bucket, percent) };
    }

    async fn tell(&self, alert: &Alert, webhook: Option<&Webhook>, request: &str) {
        self.say("budget_alert", alert.at, request, alert.sentence()).await;
        let Some(webhook) = webhook else { return };
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            match self.deliver(alert, webhook).await {
                Ok(()) => return,
                Err(error) if attempt == TRIES => {
                    let why = error.source.unwrap_or(error.message);
                    let message = format!("the webhook was not told that {}: {why}", alert.sentence());
                    self.say("alert_undelivered", alert.at, request, message).await;
                }
                Err(_) => self.ports.clock.sleep(pause).await,
            }
            pause *= 4;
        }
    }

    /// The sink owns its retries; there is nobody left to tell.
    async fn say(&self, event: &'static str, at: Timestamp, request: &str, message: String) {
        let notice = Notice { event, at, request: request.to_owned(), message, ..Notice::default() };
        let _ = self.ports.events.append(Event::Notice(Box::new(notice))).await;
    }

    async fn deliver(&self, alert: &Alert, webhook: &Webhook) -> Result<()> {
        let unset = || Error::new(ErrorKind::Misconfigured, format!("the secret `{}` is not set", webhook.secret));
        let secret = self.ports.secrets.secret(&webhook.secret).await?.ok_or_else(unset)?;
        let outbound = post(alert, webhook, &secret, self.ports.clock.now())?;
        let response = self.ports.http.send(outbound).await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(refused(status)),
        }
    }
}

fn refused(status: StatusCode) -> Error {
    Error::new(ErrorKind::UpstreamUnavailable, format!("it answered {}", status.as_u16()))
}

/// The request that tells a webhook.
fn post(alert: &Alert, webhook: &Webhook, secret: &Secret, now: Timestamp) -> Result<Outbound> {
    let wrong = |why: &dyn std::fmt::Display| Error::new(ErrorKind::Misconfigured, "The webhook's address is wrong.").source(why);
    let uri: Uri = webhook.url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error))?;
    // A literal address in the configuration is the operator's own word for it.
    let literal =
        uri.host().is_some_and(|host| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() || host == "localhost");
    let (body, timestamp) = (alert.body(), now.seconds().to_string());
    let signature = signature(secret.expose(), &alert.id, &timestamp, &body);
    let mut request = Request::new(Body::from(Bytes::from(body)));
    (*request.method_mut(), *request.uri_mut()) = (Method::POST, uri);
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [("webhook-id", alert.id.clone()), ("webhook-timestamp", timestamp), ("webhook-signature", signature)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).map_err(|error| wrong(&error))?);
    }
    let timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, idle: PATIENCE, total: PATIENCE };
    Ok(Outbound { request, timeouts, network: if literal { Network::Any } else { Network::Public } })
}

/// `v1,` and the HMAC-SHA-256 of id, timestamp and body. A secret that begins with `whsec_` is base64.
fn signature(secret: &str, id: &str, timestamp: &str, body: &str) -> String {
    let decoded = secret.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [id, ".", timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn message_id(cell: &str, bucket: u64) -> String {
    let digest = Sha256::digest(format!("{cell}/{bucket}").as_bytes());
    digest.iter().take(12).fold("msg_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

impl Alert {
    /// Which of the things that count for themselves: `team/acme/x`, `budgets.teams/acme:x`.
    fn scope(&self) -> &str {
        let scope = self.quota.cell.strip_prefix("budget/").unwrap_or(&self.quota.cell);
        scope.rsplit_once('/').map_or(scope, |(scope, _)| scope)
    }

    fn sentence(&self) -> String {
        let Self { percent, spent, allowed, quota, .. } = self;
        format!("the budget {} ({}) has reached {percent} %: {spent} of {allowed} are spent", self.scope(), quota.amount)
    }

    fn body(&self) -> String {
        let body = serde_json::json!({
            "type": "budget.threshold",
            "timestamp": date(self.at),
            "data": {
                "budget": self.quota.of,
                "scope": self.scope(),
                "amount": self.quota.amount.to_string(),
                "percent": self.percent,
                "spent": self.spent.to_string(),
                "allowed": self.allowed.to_string(),
                "begins_anew": self.anew.map(date),
            },
        });
        body.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;
    use crate::identity::Share;
    use crate::policy::limit::{Limits, quotas_of};
    use crate::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the specification's reference implementations.
        let (secret, id) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let signed = signature(secret, id, "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_message_has_the_same_id_in_the_same_window_only() {
        assert_eq!(message_id("a/80", 1), message_id("a/80", 1));
        assert_ne!(message_id("a/80", 1), message_id("a/80", 2));
        assert_ne!(message_id("a/80", 1), message_id("a/50", 1));
    }

    fn answer(status: u16) -> Result<http::Response<Body>> {
        Ok(http::Response::builder().status(status).body(Body::Empty).expect("well formed"))
    }

    fn settled(spent: u64) -> Settled {
        let share = Share {
            of: "team/acme/x".into(),
            limits: Limits::default(),
            budgets: vec!["20usd/month".parse().expect("a budget")],
        };
        let quota = quotas_of(&share).remove(0);
        Settled { quota, spent, credit: 0, stopped: false }
    }

    /// Memory ports whose webhook answers so, and instances over them.
    fn instances(answers: Vec<Result<http::Response<Body>>>) -> (MemoryPorts, Arc<ScriptedHttp>, [Alarm; 2]) {
        let clock = Arc::new(ManualClock::skipping(Timestamp(1_790_000_000_000_000)));
        let http = Arc::new(ScriptedHttp::replies(clock.clone(), answers));
        let memory = MemoryPorts::new(clock, http.clone());
        memory.secrets.set("ALERT_SECRET", "long and random");
        let alarms = [0, 1].map(|_| Alarm::new(memory.ports.clone()));
        (memory, http, alarms)
    }

    fn look(alarm: &Alarm, settled: &Settled) {
        let webhook = Webhook { url: "https://hooks.test/x".into(), secret: "ALERT_SECRET".into() };
        alarm.look(settled, Some(&webhook), "req_1").now_or_never().expect("memory never waits");
    }

    #[test]
    fn each_threshold_is_told_once_a_window_whichever_instance_sees_it() {
        let (memory, http, alarms) = instances((0..8).map(|_| answer(204)).collect());
        for usd in [1, 9, 10, 12, 16, 16, 19, 20, 20] {
            alarms.iter().for_each(|alarm| look(alarm, &settled(usd * 1_000_000_000)));
        }
        let told = || memory.events.notices().into_iter().filter(|notice| notice.event == "budget_alert").collect::<Vec<_>>();
        let messages: Vec<String> = told().into_iter().map(|notice| notice.message).collect();
        assert_eq!(
            messages,
            [
                "the budget team/acme/x (20usd/month) has reached 50 %: 10usd of 20usd are spent",
                "the budget team/acme/x (20usd/month) has reached 80 %: 16usd of 20usd are spent",
                "the budget team/acme/x (20usd/month) has reached 100 %: 20usd of 20usd are spent",
            ]
        );
        assert_eq!(http.sent().len(), 3);
        memory.clock.advance(Duration::from_secs(31 * 86_400));
        alarms.iter().for_each(|alarm| look(alarm, &settled(17_000_000_000)));
        assert_eq!(told().len(), 5, "the next month begins anew");
    }

    #[test]
    fn a_webhook_is_tried_again_and_gets_the_same_signed_message() {
        let (memory, http, [alarm, _]) = instances(vec![answer(503), answer(204)]);
        look(&alarm, &settled(10_000_000_000));
        let sent = http.sent();
        assert_eq!(sent.len(), 2);
        assert_eq!((&sent[0].body, &sent[0].headers["webhook-id"]), (&sent[1].body, &sent[1].headers["webhook-id"]));
        for sent in sent {
            let value = |name: &str| sent.headers[name].to_str().expect("ASCII");
            let body = std::str::from_utf8(&sent.body).expect("text");
            let signed = signature("long and random", value("webhook-id"), value("webhook-timestamp"), body);
            assert_eq!(value("webhook-signature"), signed);
            assert!(body.contains("\"percent\":50") && body.contains("\"scope\":\"team/acme/x\""), "{body}");
            assert!(!body.contains("long and random"));
        }
        assert_eq!(memory.events.notices().len(), 1);
    }

    #[test]
    fn a_webhook_that_never_takes_it_is_given_up_and_said_so() {
        let (memory, http, [alarm, _]) = instances((0..8).map(|_| answer(500)).collect());
        look(&alarm, &settled(10_000_000_000));
        assert_eq!(http.sent().len(), TRIES as usize);
        let events: Vec<&str> = memory.events.notices().iter().map(|notice| notice.event).collect();
        assert_eq!(events, ["budget_alert", "alert_undelivered"]);
    }

    #[test]
    fn what_was_told_has_a_cap() {
        let (_, _, [alarm, _]) = instances(Vec::new());
        for budget in 0..TOLD + 10 {
            alarm.remember(&budget.to_string(), 1, 50);
            assert!(alarm.told.lock().expect("nobody panics with it").len() <= TOLD);
        }
        alarm.remember("a", 1, 80);
        alarm.remember("a", 1, 50);
        assert_eq!((alarm.told("a", 1), alarm.told("a", 2)), (80, 0));
    }
}
