//! Streamed generateContent responses, added up.
//!
//! Checked on the way: every chunk is a response with candidates, prompt feedback or usage, parts are of a known shape, a candidate says nothing after
//! its finish reason, and nothing follows an error.

use serde_json::{Value, json};

use super::{Streamed, parse};
use crate::sse::Frame;

pub(super) fn read(frames: &[Frame]) -> Result<Streamed, String> {
    let mut chunks = Vec::new();
    for frame in frames {
        if !frame.event.is_empty() {
            return Err(format!("generateContent streams have no event names: {frame:?}"));
        }
        chunks.push(parse(frame)?);
    }
    add_up(&chunks)
}

pub(super) fn read_array(bytes: &[u8]) -> Result<Streamed, String> {
    let chunks: Vec<Value> = serde_json::from_slice(bytes)
        .map_err(|error| format!("the body is no JSON array ({error}): {}", String::from_utf8_lossy(bytes)))?;
    add_up(&chunks)
}

fn add_up(chunks: &[Value]) -> Result<Streamed, String> {
    let mut whole = json!({});
    let mut error = None;
    for chunk in chunks {
        if error.is_some() {
            return Err(format!("a chunk after the error: {chunk}"));
        }
        if chunk.get("error").is_some() {
            error = Some(chunk.clone());
            continue;
        }
        add(&mut whole, chunk).map_err(|wrong| format!("{wrong}, in {chunk}"))?;
    }
    let candidates = whole["candidates"].as_array();
    let finished = candidates.is_some_and(|all| all.iter().all(|one| one["finishReason"].is_string()));
    let blocked = whole["promptFeedback"]["blockReason"].is_string();
    Ok(Streamed { ended: error.is_none() && (finished || blocked), whole, error })
}

fn add(whole: &mut Value, chunk: &Value) -> Result<(), String> {
    let object = chunk.as_object().ok_or("a chunk is no object")?;
    if !["candidates", "promptFeedback", "usageMetadata"].iter().any(|field| object.contains_key(*field)) {
        return Err("a chunk without candidates, promptFeedback and usageMetadata".into());
    }
    for (field, value) in object.iter().filter(|(field, _)| *field != "candidates") {
        whole[field] = value.clone();
    }
    for candidate in chunk["candidates"].as_array().into_iter().flatten() {
        let index = candidate["index"].as_u64().unwrap_or(0);
        if whole.get("candidates").is_none() {
            whole["candidates"] = json!([]);
        }
        let all = whole["candidates"].as_array_mut().ok_or("no candidates")?;
        let at = match all.iter().position(|one| one["index"].as_u64().unwrap_or(0) == index) {
            Some(at) => at,
            None => {
                all.push(json!({"index": index, "content": {"role": "model", "parts": []}}));
                all.len() - 1
            }
        };
        add_candidate(&mut all[at], candidate)?;
    }
    Ok(())
}

fn add_candidate(whole: &mut Value, chunk: &Value) -> Result<(), String> {
    let parts = chunk["content"]["parts"].as_array();
    if whole["finishReason"].is_string() && parts.is_some_and(|parts| !parts.is_empty()) {
        return Err("content after the finish reason".into());
    }
    for part in parts.into_iter().flatten() {
        add_part(whole["content"]["parts"].as_array_mut().ok_or("no parts")?, part)?;
    }
    for (field, value) in chunk.as_object().into_iter().flatten() {
        match field.as_str() {
            "content" | "index" => {}
            "logprobsResult" => add_logprobs(whole, value),
            _ => whole[field] = value.clone(),
        }
    }
    Ok(())
}

/// Each chunk's log probabilities are those of its own tokens.
fn add_logprobs(whole: &mut Value, more: &Value) {
    for list in ["chosenCandidates", "topCandidates"] {
        let tokens = more[list].as_array().cloned().unwrap_or_default();
        let all = &mut whole["logprobsResult"][list];
        match all.as_array_mut() {
            Some(all) => all.extend(tokens),
            None => *all = Value::Array(tokens),
        }
    }
}

fn add_part(parts: &mut Vec<Value>, part: &Value) -> Result<(), String> {
    let data = ["text", "functionCall", "inlineData", "fileData", "executableCode", "codeExecutionResult", "functionResponse"];
    if !data.iter().any(|field| part.get(field).is_some()) && part.get("thoughtSignature").is_none() {
        return Err(format!("a part without data: {part}"));
    }
    if part.get("functionCall").is_some_and(|call| !call["name"].is_string() || !call["args"].is_object()) {
        return Err(format!("a function call without name or args: {part}"));
    }
    // The last chunk often holds nothing but an empty text and the finish reason.
    if part["text"] == "" && part.get("thoughtSignature").is_none() {
        return Ok(());
    }
    if let (Some(last), Some(more)) = (parts.last_mut(), part["text"].as_str())
        && last["text"].is_string()
        && last["thought"] == part["thought"]
        && last["thoughtSignature"].is_null()
    {
        last["text"] = json!(format!("{}{more}", last["text"].as_str().unwrap_or("")));
        if let Some(signature) = part.get("thoughtSignature") {
            last["thoughtSignature"] = signature.clone();
        }
        return Ok(());
    }
    parts.push(part.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::frames;

    #[test]
    fn chunks_add_up_in_both_forms() {
        let chunks = [
            r#"{"candidates":[{"content":{"parts":[{"text":"Hmm","thought":true}],"role":"model"}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"lo"},{"functionCall":{"name":"f","args":{}}}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":3}}"#,
        ];
        let sse: String = chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect();
        let read = read(&frames(sse.as_bytes()).unwrap()).unwrap();
        assert!(read.ended);
        let parts = &read.whole["candidates"][0]["content"]["parts"];
        assert_eq!(
            *parts,
            json!([{"text": "Hmm", "thought": true}, {"text": "Hello"}, {"functionCall": {"name": "f", "args": {}}}])
        );
        assert_eq!(read_array(format!("[{}]", chunks.join(",\n")).as_bytes()).unwrap(), read);
    }

    #[test]
    fn what_an_sdk_would_trip_over_is_refused() {
        let good = |text: &str| read(&frames(text.as_bytes()).unwrap());
        assert!(good("data: {}\n\n").is_err());
        assert!(good("data: [DONE]\n\n").is_err());
        assert!(!good("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n").unwrap().ended);
        assert!(good("data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]}}]}\n\n").is_err());
        assert!(read_array(b"[{\"usageMetadata\":{}}").is_err());
    }
}
