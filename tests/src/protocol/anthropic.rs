//! Message events, added up.
//!
//! Checked on the way: names match types, `message_start` comes first and once, blocks open one at a time in the order of
//! their indices, deltas fit their block, usage never shrinks, `message_delta` gives the stop reason, and nothing follows `message_stop` or `error`.

use serde_json::{Value, json};

use super::{Streamed, parse};
use crate::sse::Frame;

pub(super) fn read(frames: &[Frame]) -> Result<Streamed, String> {
    let mut reader = Reader { whole: json!({}), started: false, open: None, ended: false, error: None };
    for frame in frames {
        if reader.ended || reader.error.is_some() {
            return Err(format!("a frame after the end: {frame:?}"));
        }
        let event = parse(frame)?;
        if event["type"] != frame.event.as_str() {
            return Err(format!("the event's name is not its type: {frame:?}"));
        }
        reader.event(&event).map_err(|wrong| format!("{wrong}, in {}", frame.data))?;
    }
    Ok(Streamed { whole: reader.whole, error: reader.error, ended: reader.ended })
}

struct Reader {
    whole: Value,
    started: bool,
    /// The open block's tool input so far.
    open: Option<String>,
    ended: bool,
    error: Option<Value>,
}

impl Reader {
    fn event(&mut self, event: &Value) -> Result<(), String> {
        let kind = event["type"].as_str().unwrap_or_default();
        if !self.started && !matches!(kind, "message_start" | "ping" | "error") {
            return Err("message_start does not come first".into());
        }
        match kind {
            "ping" => {}
            "error" => self.error = Some(event.clone()),
            "message_start" if self.started => return Err("a second message_start".into()),
            "message_start" => {
                self.started = true;
                self.whole = event["message"].clone();
                let message = &self.whole;
                if message["type"] != "message" || message["role"] != "assistant" || message["content"] != json!([]) {
                    return Err("message_start needs type, role and empty content".into());
                }
                if !message["id"].is_string() || !message["model"].is_string() || !message["usage"]["input_tokens"].is_u64() {
                    return Err("message_start needs id, model and usage.input_tokens".into());
                }
                if message.get("stop_reason") != Some(&Value::Null) {
                    return Err("message_start needs stop_reason null".into());
                }
            }
            "content_block_start" => self.start(event)?,
            "content_block_delta" => self.delta(event)?,
            "content_block_stop" => self.stop(event)?,
            "message_delta" => self.message_delta(event)?,
            "message_stop" => {
                if self.open.is_some() || self.whole["stop_reason"].is_null() {
                    return Err("message_stop before the last block's end or the stop reason".into());
                }
                self.ended = true;
            }
            unknown => return Err(format!("unknown event {unknown}")),
        }
        Ok(())
    }

    fn blocks(&mut self) -> Result<&mut Vec<Value>, String> {
        self.whole["content"].as_array_mut().ok_or_else(|| "no content".into())
    }

    fn start(&mut self, event: &Value) -> Result<(), String> {
        if self.open.is_some() {
            return Err("a block starts inside another".into());
        }
        let blocks = self.blocks()?;
        if event["index"] != blocks.len() {
            return Err(format!("block {} starts instead of {}", event["index"], blocks.len()));
        }
        let block = event["content_block"].clone();
        let complete = match block["type"].as_str().unwrap_or_default() {
            "text" => block["text"].is_string(),
            "thinking" => block["thinking"].is_string() && block["signature"].is_string(),
            "redacted_thinking" => block["data"].is_string(),
            "tool_use" => block["id"].is_string() && block["name"].is_string() && block["input"] == json!({}),
            _ => true,
        };
        if !complete {
            return Err("the block lacks a field that its type has".into());
        }
        blocks.push(block);
        self.open = Some(String::new());
        Ok(())
    }

    fn delta(&mut self, event: &Value) -> Result<(), String> {
        let mut open = self.open.take().ok_or("a delta outside a block")?;
        let blocks = self.blocks()?;
        if event["index"] != blocks.len() - 1 {
            return Err("a delta of a block that is not open".into());
        }
        let block = blocks.last_mut().ok_or("no block")?;
        let (kind, delta) = (block["type"].as_str().unwrap_or_default().to_owned(), &event["delta"]);
        let mut append = |field: &str, more: &Value| {
            let text = format!("{}{}", block[field].as_str().unwrap_or(""), more.as_str().unwrap_or(""));
            block[field] = Value::String(text);
        };
        match (delta["type"].as_str().unwrap_or_default(), kind.as_str()) {
            ("text_delta", "text") => append("text", &delta["text"]),
            ("thinking_delta", "thinking") => append("thinking", &delta["thinking"]),
            ("signature_delta", "thinking") => block["signature"] = delta["signature"].clone(),
            ("input_json_delta", "tool_use" | "server_tool_use") => open.push_str(delta["partial_json"].as_str().unwrap_or("")),
            ("citations_delta", "text") => {
                let citations = block.as_object_mut().ok_or("no block")?.entry("citations").or_insert(Value::Null);
                if citations.is_null() {
                    *citations = json!([]);
                }
                citations.as_array_mut().ok_or("no citations")?.push(delta["citation"].clone());
            }
            (delta, block) => return Err(format!("a {delta} in a block of type {block}")),
        }
        self.open = Some(open);
        Ok(())
    }

    fn stop(&mut self, event: &Value) -> Result<(), String> {
        let input = self.open.take().ok_or("a block ends that is not open")?;
        let blocks = self.blocks()?;
        if event["index"] != blocks.len() - 1 {
            return Err("a block ends that is not open".into());
        }
        let block = blocks.last_mut().ok_or("no block")?;
        if !input.is_empty() {
            block["input"] =
                serde_json::from_str(&input).map_err(|error| format!("tool input is not JSON ({error}): {input}"))?;
        }
        Ok(())
    }

    fn message_delta(&mut self, event: &Value) -> Result<(), String> {
        if self.open.is_some() {
            return Err("message_delta inside a block".into());
        }
        for field in ["stop_reason", "stop_sequence"] {
            let value = event["delta"].get(field).ok_or(format!("message_delta needs {field}"))?;
            self.whole[field] = value.clone();
        }
        let usage = event["usage"].as_object().ok_or("message_delta needs usage")?;
        for (field, value) in usage.iter().filter(|(_, value)| !value.is_null()) {
            if self.whole["usage"][field].as_u64() > value.as_u64() {
                return Err(format!("usage.{field} shrinks"));
            }
            self.whole["usage"][field] = value.clone();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::frames;

    fn event(json: &str) -> String {
        let value: Value = serde_json::from_str(json).unwrap();
        format!("event: {}\ndata: {json}\n\n", value["type"].as_str().unwrap())
    }

    const START: &str = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}"#;

    fn read_all(events: &[&str]) -> Result<Streamed, String> {
        let text: String = events.iter().map(|json| event(json)).collect();
        read(&frames(text.as_bytes()).unwrap())
    }

    #[test]
    fn events_add_up() {
        let read = read_all(&[
            START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}"#,
            r#"{"type":"message_stop"}"#,
        ])
        .unwrap();
        assert!(read.ended);
        assert_eq!(read.whole["content"][0]["text"], "Hi");
        assert_eq!(read.whole["content"][1]["input"], json!({"a": 1}));
        assert_eq!(read.whole["usage"], json!({"input_tokens": 3, "output_tokens": 9}));
    }

    #[test]
    fn what_an_sdk_would_trip_over_is_refused() {
        let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
        assert!(read_all(&[START, block]).is_ok());
        assert!(read_all(&[block]).is_err(), "no start");
        assert!(read_all(&[START, block, block]).is_err(), "two open blocks");
        assert!(read_all(&[START, r#"{"type":"message_stop"}"#]).is_err(), "no stop reason");
        let wrong = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"x"}}"#;
        assert!(read_all(&[START, block, wrong]).is_err(), "a delta of another type");
        let error = r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#;
        assert!(read_all(&[START, error]).unwrap().error.is_some());
        assert!(read_all(&[START, error, r#"{"type":"message_stop"}"#]).is_err(), "an invented end");
    }
}
