//! Models, health and readiness: what the gateway answers by itself.

use http::{Response, request::Parts};
use serde_json::{Value, json};

use crate::body::Body;
use crate::config::{Config, Target};
use crate::dialect::DialectId;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Caller;
use crate::policy::auth;
use crate::route;

use super::reply;
use super::settle::Settlement;

/// `/health`: whether the process is alive, also while it drains.
pub(super) fn health(settlement: &mut Settlement) -> Response<Body> {
    let body = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    reply::json(body.to_string(), settlement, DialectId::OpenAiChat)
}

/// `/ready`: whether new requests should come here.
pub(super) fn ready(draining: bool, settlement: &mut Settlement) -> Response<Body> {
    if draining {
        let body = json!({"status": "draining", "version": env!("CARGO_PKG_VERSION")});
        return reply::unready(body.to_string(), settlement, DialectId::OpenAiChat);
    }
    health(settlement)
}

/// The list of models, in the caller's shape, a page at a time where the protocol has pages.
pub(super) fn models(
    config: &Config,
    caller: &Caller,
    parts: &Parts,
    endpoint: &Endpoint,
    settlement: &mut Settlement,
) -> Result<Response<Body>> {
    let mut models = route::visible_models(config);
    if auth::is_restricted(config, caller) {
        models.retain(|(name, _)| auth::plan(config, caller, name).is_ok());
    }
    let query = |name: &str| {
        let pairs = parts.uri.query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    };
    let body = match endpoint.dialect {
        DialectId::OpenAiChat => {
            let data: Vec<Value> = models.iter().map(|(name, target)| describe(endpoint.dialect, name, target)).collect();
            json!({"object": "list", "data": data})
        }
        DialectId::AnthropicMessages => {
            let place = |id: Option<&str>| {
                id.and_then(|id| models.iter().position(|(name, _)| name.replace('/', "%2F") == id || name == id))
            };
            let limit = page_size(query("limit"), "limit")?;
            let (start, end) = match (place(query("after_id")), place(query("before_id"))) {
                (Some(after), _) => (after + 1, (after + 1).saturating_add(limit).min(models.len())),
                (None, Some(before)) => (before.saturating_sub(limit), before),
                (None, None) => (0, limit.min(models.len())),
            };
            let page = models.get(start..end).unwrap_or(&[]);
            let data: Vec<Value> = page.iter().map(|(name, target)| describe(endpoint.dialect, name, target)).collect();
            let name = |entry: Option<&(String, Target)>| entry.map(|(name, _)| name.clone());
            json!({"data": data, "has_more": end < models.len(), "first_id": name(page.first()), "last_id": name(page.last())})
        }
        DialectId::Gemini => {
            let size = page_size(query("pageSize"), "pageSize")?;
            let start = match query("pageToken") {
                Some(token) => {
                    token.parse().map_err(|_| Error::invalid("pageToken", "`pageToken` is not one that this listing gave."))?
                }
                None => 0usize,
            };
            let end = start.saturating_add(size).min(models.len());
            let page = models.get(start..end).unwrap_or(&[]);
            let data: Vec<Value> = page.iter().map(|(name, target)| describe(endpoint.dialect, name, target)).collect();
            let mut body = json!({"models": data});
            if end < models.len() {
                body["nextPageToken"] = Value::from(end.to_string());
            }
            body
        }
    };
    Ok(reply::json(body.to_string(), settlement, endpoint.dialect))
}

/// One model, by any name under which it can be asked for.
pub(super) fn model(
    config: &Config,
    caller: &Caller,
    endpoint: &Endpoint,
    settlement: &mut Settlement,
) -> Result<Response<Body>> {
    let name = endpoint.model.as_deref().unwrap_or("");
    let plan = auth::plan(config, caller, name)?;
    let candidate = plan
        .candidates
        .first()
        .ok_or_else(|| Error::new(ErrorKind::ModelNotFound, format!("There is no model `{name}` here.")))?;
    let body = describe(endpoint.dialect, name, &candidate.target);
    Ok(reply::json(body.to_string(), settlement, endpoint.dialect))
}

fn page_size(given: Option<&str>, field: &'static str) -> Result<usize> {
    match given.map(str::parse::<usize>) {
        None => Ok(1000),
        Some(Ok(size @ 1..=1000)) => Ok(size),
        Some(_) => Err(Error::invalid(field, format!("`{field}` must be a number from 1 to 1000."))),
    }
}

fn describe(dialect: DialectId, name: &str, target: &Target) -> Value {
    let provider = &target.provider.row;
    match dialect {
        // Nobody says when a model was made; the epoch stands for "unknown", as Anthropic documents for its own listing.
        DialectId::OpenAiChat => json!({"id": name, "object": "model", "created": 0, "owned_by": provider.name}),
        DialectId::AnthropicMessages => {
            json!({"type": "model", "id": name, "display_name": format!("{} ({})", target.model, provider.title), "created_at": "1970-01-01T00:00:00Z"})
        }
        DialectId::Gemini => {
            let mut model = json!({
                "name": format!("models/{name}"),
                "displayName": format!("{} ({})", target.model, provider.title),
                "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
            });
            if let Some(context) = target.limits.context {
                model["inputTokenLimit"] = Value::from(context);
            }
            if let Some(most) = target.limits.max_output {
                model["outputTokenLimit"] = Value::from(most);
            }
            model
        }
    }
}
