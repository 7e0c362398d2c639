//! Compares what came of a case with what it expects. Knows nothing of targets.

use serde_json::Value;

use crate::case::{Body, Case, Request, Turn};
use crate::driver::{Driver, Observed};
use crate::json::{Mode, differences};
use crate::protocol::{CALLER_KEY, Protocol, Streamed};
use crate::script::{Expected, Seen, show};
use crate::{case, sse};

/// Runs a case. The error lists everything that was not as expected.
pub fn run(driver: &dyn Driver, case: &Case) -> Result<(), String> {
    let mut gateway = driver.start(case)?;
    let mut answers = Vec::new();
    for (number, turn) in case.turns.iter().enumerate() {
        let mut request = turn.request.clone();
        if let Ok(text) = std::str::from_utf8(&request.body) {
            request.body = case::fill(text, &answers)?.into_bytes();
        }
        request.path = case::fill_text(&request.path, &answers)?;
        for (_, value) in &mut request.headers {
            *value = case::fill_text(value, &answers)?;
        }
        let observed = gateway.turn(turn, &request)?;
        let (answer, mut found) = check(turn, &observed);
        found.extend(leaks(&request, &observed));
        if !found.is_empty() {
            let turn = if case.turns.len() > 1 { format!("turn {}: ", number + 1) } else { String::new() };
            let found: String = found.iter().map(|difference| format!("\n- {difference}")).collect();
            return Err(format!("{turn}not as expected:{found}\n{}", story(&observed)));
        }
        answers.push(answer);
    }
    let late = gateway.finish()?;
    if late.is_empty() { Ok(()) } else { Err(format!("recorded {} more requests than were sent: {late:?}", late.len())) }
}

/// Where a key that the caller showed stands that is nobody else's business.
fn leaks(request: &Request, observed: &Observed) -> Vec<String> {
    let bearer = |value: &str| value.split(' ').next_back().unwrap_or_default().to_owned();
    let shown = |name: &str| ["authorization", "x-api-key", "x-goog-api-key"].contains(&name);
    let keys = request.headers.iter().filter(|(name, _)| shown(name)).map(|(_, value)| bearer(value));
    let keys: Vec<String> = keys.filter(|key| key.len() > 8).collect();
    let mut found = Vec::new();
    for key in &keys {
        let holds = |text: &str| text.contains(key.as_str());
        if observed.records.iter().any(|record| holds(&record.to_string())) {
            found.push("the key that was shown is in the record".to_owned());
        }
        let sent = |seen: &Seen| {
            holds(&seen.path) || holds(&String::from_utf8_lossy(&seen.body)) || seen.headers.iter().any(|(_, value)| holds(value))
        };
        if observed.asked.iter().any(sent) {
            found.push("the key that was shown reached the provider".to_owned());
        }
        if holds(&String::from_utf8_lossy(&observed.body)) || observed.headers.iter().any(|(_, value)| holds(value)) {
            found.push("the key that was shown is in the answer".to_owned());
        }
    }
    found
}

/// Every difference, and the answer's JSON for later turns.
fn check(turn: &Turn, observed: &Observed) -> (Value, Vec<String>) {
    let mut found = Vec::new();
    let wanted = &turn.response;
    if observed.status != wanted.status {
        found.push(format!("status: is {}, expected {}", observed.status, wanted.status));
    }
    let header = |name: &str| observed.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone());
    for (name, value) in &wanted.headers {
        let actual = header(name).map(Value::from);
        let expected = serde_json::json!({"value": value});
        let actual = actual.map_or(serde_json::json!({}), |value| serde_json::json!({"value": value}));
        found.extend(differences(&expected, &actual, Mode::Equal).into_iter().map(|wrong| format!("header {name} {wrong}")));
    }
    for name in &wanted.absent {
        found.extend(header(name).map(|value| format!("header {name}: must not be returned, is {value:?}")));
    }
    if let Some(warnings) = &wanted.warnings {
        let actual = without_reasons(&header("x-edgeway-warnings").unwrap_or_default());
        if actual != *warnings {
            found.push(format!("x-edgeway-warnings:\n    is       {actual:?}\n    expected {warnings:?}"));
        }
    }
    if let Some(broken) = observed.broken.as_ref().filter(|_| turn.request.hang_up_after.is_none()) {
        found.push(format!("the body broke off: {broken}"));
    }
    let (answer, wrong) = check_body(turn, observed);
    found.extend(wrong);
    found.extend(check_upstream(turn, observed));
    found.extend(check_records(turn, observed));
    (answer, found)
}

/// The header's list without its `why`s: what was lost is the contract, the words are not.
fn without_reasons(header: &str) -> String {
    let mut out = String::new();
    let mut rest = header;
    while let Some((before, why)) = rest.split_once(";why=\"") {
        out.push_str(before);
        // A quote inside the string is escaped.
        let mut escaped = false;
        let end = why.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = end.map_or("", |end| &why[end + 1..]);
    }
    out.push_str(rest);
    out
}

fn check_body(turn: &Turn, observed: &Observed) -> (Value, Vec<String>) {
    let door = turn.request.door;
    let json = || serde_json::from_slice::<Value>(&observed.body);
    match &turn.response.body {
        Body::Whole(expected) => (json().unwrap_or(Value::Null), expected.differences(&observed.body)),
        Body::Error(says, expected) => {
            let mut found = expected.differences(&observed.body);
            // A provider's own error passes unchanged; its shape is the provider's business.
            if !matches!(expected, Expected::Bytes(_)) {
                match json().map_err(|error| error.to_string()).and_then(|body| door.error_message(observed.status, &body)) {
                    Err(wrong) => found.push(wrong),
                    Ok(message) => {
                        for part in says.iter().filter(|part| !message.contains(*part)) {
                            found.push(format!("the error does not say {part:?}: {message:?}"));
                        }
                    }
                }
            }
            (json().unwrap_or(Value::Null), found)
        }
        Body::Stream { array, whole, error, ended, bytes } => {
            let kind = observed.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
            let wanted = if *array { "application/json" } else { "text/event-stream" };
            let mut found = Vec::new();
            if !kind.starts_with(wanted) {
                found.push(format!("content-type: is {kind:?}, expected {wanted}"));
            }
            if let Some(bytes) = bytes {
                found.extend(Expected::Bytes(bytes.clone()).differences(&observed.body));
            }
            let read = if *array {
                Protocol::read_array(&observed.body)
            } else {
                sse::frames(&observed.body).and_then(|frames| door.read_stream(&frames))
            };
            match read {
                Err(wrong) => {
                    found.push(format!("the stream: {wrong}"));
                    (Value::Null, found)
                }
                Ok(streamed) => {
                    found.extend(check_stream(&streamed, whole, error.as_ref(), *ended));
                    (streamed.whole, found)
                }
            }
        }
    }
}

fn check_stream(streamed: &Streamed, whole: &Value, error: Option<&Value>, ended: bool) -> Vec<String> {
    let mut found = differences(whole, &streamed.whole, Mode::Includes);
    match (error, &streamed.error) {
        (None, Some(actual)) => found.push(format!("the stream ends in an error: {actual}")),
        (Some(_), None) => found.push("the stream does not end in an error event".into()),
        (Some(wanted), Some(actual)) => found.extend(differences(wanted, actual, Mode::Includes)),
        (None, None) => {}
    }
    if streamed.ended != ended {
        let is = if streamed.ended { "claims to be complete" } else { "has no proper end" };
        found.push(format!("the stream {is}"));
    }
    found
}

fn check_upstream(turn: &Turn, observed: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if observed.asked.len() != turn.upstream.len() {
        found.push(format!("providers were asked {} times, expected {}", observed.asked.len(), turn.upstream.len()));
    }
    for (number, (exchange, seen)) in turn.upstream.iter().zip(&observed.asked).enumerate() {
        let mut wrong = exchange.asked.differences(seen);
        // Whatever a case is about: the caller's key never reaches a provider.
        let leaked = |text: &str| text.contains(CALLER_KEY);
        if seen.headers.iter().any(|(_, value)| leaked(value))
            || leaked(&seen.path)
            || leaked(&String::from_utf8_lossy(&seen.body))
        {
            wrong.push("the caller's key reached the provider".into());
        }
        found.extend(wrong.into_iter().map(|difference| format!("asked of provider, attempt {}: {difference}", number + 1)));
    }
    found
}

fn check_records(turn: &Turn, observed: &Observed) -> Vec<String> {
    let [record] = observed.records.as_slice() else {
        return vec![format!("{} records, expected exactly one: {:?}", observed.records.len(), observed.records)];
    };
    let mut found = differences(&turn.response.record, record, Mode::Includes);
    let text = record.to_string();
    for secret in [
        CALLER_KEY.to_owned(),
        Protocol::Openai.provider_key(),
        Protocol::Anthropic.provider_key(),
        Protocol::Gemini.provider_key(),
    ] {
        if text.contains(&secret) {
            found.push(format!("a key is in the record: {text}"));
        }
    }
    found.into_iter().map(|difference| format!("record {difference}")).collect()
}

/// What happened, for a person.
fn story(observed: &Observed) -> String {
    let mut out = String::new();
    for seen in &observed.asked {
        out.push_str(&format!("the provider was asked {} {}\n{}\n", seen.method, seen.path, show(&seen.body)));
    }
    out.push_str(&format!("the caller got {} {:?}\n{}\n", observed.status, observed.headers, show(&observed.body)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_taken_out_of_warnings() {
        let header = r#"dropped;at="a";why="say \"x\", y", moved;at="b[0]";why="z""#;
        assert_eq!(without_reasons(header), r#"dropped;at="a", moved;at="b[0]""#);
        assert_eq!(without_reasons(""), "");
    }
}
