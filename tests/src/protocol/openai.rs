//! Chat completion chunks, added up.
//!
//! Checked on the way: every chunk is `chat.completion.chunk` with one id, each choice opens with its role, tool calls
//! are numbered in the order in which they start and start with id and name, nothing follows a finish reason,
//! a chunk without choices holds usage and comes last, `[DONE]` ends it and nothing comes after, and after an error nothing comes at all.

use serde_json::{Map, Value, json};

use super::{Streamed, parse};
use crate::sse::Frame;

pub(super) fn read(frames: &[Frame]) -> Result<Streamed, String> {
    let mut whole = json!({"object": "chat.completion", "choices": []});
    let (mut ended, mut error) = (false, None);
    for frame in frames {
        if ended || error.is_some() {
            return Err(format!("a frame after the end: {frame:?}"));
        }
        if !frame.event.is_empty() {
            return Err(format!("chat completions have no event names: {frame:?}"));
        }
        if frame.data == "[DONE]" {
            ended = true;
            continue;
        }
        let chunk = parse(frame)?;
        if chunk.get("error").is_some() {
            error = Some(chunk);
            continue;
        }
        add(&mut whole, &chunk).map_err(|wrong| format!("{wrong}, in {}", frame.data))?;
    }
    for choice in whole["choices"].as_array_mut().into_iter().flatten() {
        // A stream opens with empty text before it is known that only calls follow; whole answers say null.
        let message = &mut choice["message"];
        if message["content"] == "" && message.get("tool_calls").is_some() {
            message["content"] = Value::Null;
        }
        if ended && choice["finish_reason"].is_null() {
            return Err(format!("[DONE] came before a finish reason: {choice}"));
        }
    }
    Ok(Streamed { whole, error, ended })
}

fn add(whole: &mut Value, chunk: &Value) -> Result<(), String> {
    if chunk["object"] != "chat.completion.chunk" {
        return Err("object is not chat.completion.chunk".into());
    }
    for field in ["id", "model", "created"] {
        let value = chunk.get(field).filter(|value| !value.is_null()).ok_or(format!("{field} is missing"))?;
        match whole.get(field) {
            Some(first) if field == "id" && first != value => return Err("the id changed".into()),
            Some(_) => {}
            None => whole[field] = value.clone(),
        }
    }
    for field in ["service_tier", "system_fingerprint"] {
        if let Some(value) = chunk.get(field).filter(|value| !value.is_null()) {
            whole[field] = value.clone();
        }
    }
    if whole.get("usage").is_some() {
        return Err("a chunk after usage".into());
    }
    if let Some(usage) = chunk.get("usage").filter(|usage| !usage.is_null()) {
        whole["usage"] = usage.clone();
    }
    let choices = chunk["choices"].as_array().ok_or("choices is missing")?;
    if choices.is_empty() && whole.get("usage").is_none() {
        return Err("a chunk without choices and without usage".into());
    }
    choices.iter().try_for_each(|choice| add_choice(whole, choice))
}

fn add_choice(whole: &mut Value, chunk: &Value) -> Result<(), String> {
    let index = chunk["index"].as_u64().ok_or("a choice has no index")?;
    let choices = whole["choices"].as_array_mut().ok_or("choices is no array")?;
    let delta = chunk["delta"].as_object().ok_or("a choice has no delta")?;
    let at = match choices.iter().position(|choice| choice["index"] == index) {
        Some(at) => at,
        None => {
            if delta.get("role") != Some(&json!("assistant")) {
                return Err("a choice does not open with its role".into());
            }
            let message = json!({"role": "assistant", "content": null});
            choices.push(json!({"index": index, "message": message, "finish_reason": null}));
            choices.sort_by_key(|choice| choice["index"].as_u64());
            choices.iter().position(|choice| choice["index"] == index).unwrap_or_default()
        }
    };
    let choice = &mut choices[at];
    if !choice["finish_reason"].is_null() && delta.values().any(|value| !value.is_null()) {
        return Err("a delta after the finish reason".into());
    }
    let message = choice["message"].as_object_mut().ok_or("no message")?;
    add_delta(message, delta)?;
    if let Some(logprobs) = chunk.get("logprobs").filter(|logprobs| !logprobs.is_null()) {
        let all = choice.as_object_mut().ok_or("no choice")?.entry("logprobs").or_insert_with(|| json!({"content": []}));
        let more = logprobs["content"].as_array().cloned().unwrap_or_default();
        all["content"].as_array_mut().ok_or("no logprobs")?.extend(more);
    }
    if let Some(reason) = chunk.get("finish_reason").filter(|reason| !reason.is_null()) {
        if !choice["finish_reason"].is_null() {
            return Err("a second finish reason".into());
        }
        choice["finish_reason"] = reason.clone();
    }
    Ok(())
}

fn add_delta(message: &mut Map<String, Value>, delta: &Map<String, Value>) -> Result<(), String> {
    for (field, value) in delta {
        match (field.as_str(), value) {
            ("role", role) if role == "assistant" => {}
            ("tool_calls", Value::Array(calls)) => calls.iter().try_for_each(|call| add_call(message, call))?,
            (_, Value::Null) => {}
            ("function_call", Value::Object(call)) => add_function(message, call)?,
            ("content" | "refusal" | "reasoning_content" | "reasoning", Value::String(more)) => append(message, field, more),
            (_, Value::Array(more)) => {
                let all = message.entry(field.clone()).or_insert_with(|| json!([]));
                all.as_array_mut().ok_or(format!("{field} is no array"))?.extend(more.clone());
            }
            (_, value) => {
                message.insert(field.clone(), value.clone());
            }
        }
    }
    Ok(())
}

fn add_call(message: &mut Map<String, Value>, call: &Value) -> Result<(), String> {
    let index = call["index"].as_u64().ok_or("a tool call has no index")? as usize;
    let calls = message.entry("tool_calls").or_insert_with(|| json!([])).as_array_mut().ok_or("no tool calls")?;
    if index > calls.len() {
        return Err(format!("tool call {index} starts before {}", calls.len()));
    }
    if index == calls.len() {
        let id = call["id"].as_str().filter(|id| !id.is_empty()).ok_or("a tool call starts without id")?;
        let name = call["function"]["name"].as_str().filter(|name| !name.is_empty()).ok_or("a tool call starts without name")?;
        if call["type"] != "function" {
            return Err("a tool call starts without type = function".into());
        }
        calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}}));
    } else if call.get("id").is_some_and(|id| !id.is_null() && *id != calls[index]["id"]) {
        return Err("a tool call's id changed".into());
    }
    let function = calls[index]["function"].as_object_mut().ok_or("no function")?;
    append(function, "arguments", call["function"]["arguments"].as_str().unwrap_or(""));
    Ok(())
}

/// As the SDK did before there were tools: the name comes whole, arguments are appended.
fn add_function(message: &mut Map<String, Value>, more: &Map<String, Value>) -> Result<(), String> {
    let call = message.entry("function_call").or_insert_with(|| json!({"name": "", "arguments": ""}));
    let call = call.as_object_mut().ok_or("no function call")?;
    for (field, value) in more {
        append(call, field, value.as_str().ok_or(format!("function_call.{field} is no string"))?);
    }
    if call["name"] == "" { Err("a function call starts without name".into()) } else { Ok(()) }
}

fn append(object: &mut Map<String, Value>, field: &str, more: &str) {
    let mut text = object.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
    text.push_str(more);
    object.insert(field.to_owned(), Value::String(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::frames;

    fn chunk(choices: &str, rest: &str) -> String {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":{choices}{rest}}}\n\n"
        )
    }

    #[test]
    fn chunks_add_up() {
        let stream = [
            chunk(r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#, ""),
            chunk(r#"[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]"#, ""),
            chunk(r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]"#, ""),
            chunk(r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":"tool_calls"}]"#, ""),
            chunk("[]", r#","usage":{"total_tokens":3}"#),
            "data: [DONE]\n\n".into(),
        ]
        .concat();
        let read = read(&frames(stream.as_bytes()).unwrap()).unwrap();
        assert!(read.ended && read.error.is_none());
        let message = &read.whole["choices"][0]["message"];
        assert_eq!(message["content"], "Hel");
        assert_eq!(message["tool_calls"][0]["function"], json!({"name": "f", "arguments": "{}"}));
        assert_eq!(read.whole["usage"]["total_tokens"], 3);
    }

    #[test]
    fn what_an_sdk_would_trip_over_is_refused() {
        let open = chunk(r#"[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]"#, "");
        let good = |more: &str| read(&frames(format!("{open}{more}").as_bytes()).unwrap()).is_ok();
        assert!(good(""));
        assert!(!good("data: [DONE]\n\n"), "no finish reason");
        assert!(!good(&chunk("[]", "")), "no choices and no usage");
        assert!(!good(&chunk(
            r#"[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"a","type":"function","function":{"name":"f"}}]}}]"#,
            ""
        )));
        assert!(!good(&chunk(r#"[{"index":1,"delta":{"content":"x"}}]"#, "")), "no role");
        assert!(!good("data: {\"error\":{}}\n\ndata: [DONE]\n\n"), "an invented end");
    }
}
