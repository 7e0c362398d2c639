//! What a provider got in one turn it gets again in the next, byte for byte, at the beginning: so its
//! prompt cache meets it.

use edgeway_core::dialect::DialectId;
use serde_json::{Value, json};

use super::{ANTHROPIC, CLAUDE, GEMINI, GEMINI_3, GEMINI_25, GPT, OPENAI, To, sent};

const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

/// The turns of a conversation with tools, pictures and errors, without its beginning.
fn turns(from: DialectId) -> Vec<Value> {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}});
    match from {
        OPENAI => vec![
            json!({"role": "user", "content": "A"}),
            json!({"role": "assistant", "content": null, "tool_calls": [call("c1"), call("c2")]}),
            json!({"role": "tool", "tool_call_id": "c1", "content": "1"}),
            json!({"role": "tool", "tool_call_id": "c2", "content": "2"}),
            json!({"role": "assistant", "content": "As json? ", "reasoning_content": "hm"}),
            json!({"role": "user", "content": [{"type": "text", "text": "C"}, {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PICTURE}")}}]}),
            json!({"role": "assistant", "content": null, "tool_calls": [call("c3")]}),
            json!({"role": "tool", "tool_call_id": "c3", "content": "3"}),
        ],
        ANTHROPIC => vec![
            json!({"role": "user", "content": "A"}),
            json!({"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "B"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            ]}),
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                    {"type": "text", "text": "r"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
                ]},
                {"type": "text", "text": "also", "cache_control": {"type": "ephemeral"}},
            ]}),
            json!({"role": "assistant", "content": "As json?"}),
            json!({"role": "user", "content": "C"}),
        ],
        GEMINI => vec![
            json!({"role": "user", "parts": [{"text": "A"}]}),
            json!({"role": "model", "parts": [
                {"text": "hm", "thought": true},
                {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "f", "args": {"a": 2}}},
            ]}),
            json!({"role": "user", "parts": [
                {"functionResponse": {"name": "f", "response": {"result": "1"}}},
                {"functionResponse": {"name": "f", "response": {"error": "2"}}},
            ]}),
            json!({"role": "model", "parts": [{"text": "As json?"}]}),
            json!({"role": "user", "parts": [{"text": "C"}, {"inlineData": {"mimeType": "image/png", "data": PICTURE}}]}),
            json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}),
            json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}),
        ],
    }
}

fn asked(from: DialectId, turns: &[Value]) -> Value {
    let schema = json!({"type": "object"});
    let whole = [&[json!({"role": "system", "content": "S"})], turns].concat();
    match from {
        OPENAI => json!({
            "model": "m", "max_tokens": 9000, "reasoning_effort": "low", "response_format": {"type": "json_object"},
            "messages": whole,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
        }),
        ANTHROPIC => json!({
            "model": "m", "max_tokens": 9000, "thinking": {"type": "adaptive"}, "messages": turns,
            "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}], "tools": [{"name": "f", "input_schema": schema}],
        }),
        GEMINI => json!({
            "systemInstruction": {"parts": [{"text": "S"}]}, "contents": turns,
            "generationConfig": {"maxOutputTokens": 9000, "responseMimeType": "application/json"},
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}],
        }),
    }
}

/// The texts of what comes before the conversation's end, in the order in which providers read it.
fn prefix(body: &Value) -> (Vec<String>, Vec<String>) {
    let head = ["tools", "system", "systemInstruction", "toolConfig"].map(|key| body[key].to_string());
    let messages = body.get("messages").or(body.get("contents")).and_then(Value::as_array).expect("messages");
    (head.to_vec(), messages.iter().map(Value::to_string).collect())
}

#[test]
fn what_was_sent_once_is_sent_again_the_same_as_the_conversation_grows() {
    const MISTRAL: To = To("mistral", "mistral-large-latest");
    const DEEPSEEK: To = To("deepseek", "deepseek-chat");
    for from in DialectId::ALL {
        for to in [GPT, CLAUDE, GEMINI_25, GEMINI_3, MISTRAL, DEEPSEEK] {
            let turns = turns(from);
            let said_by_model = |turn: &Value| turn["role"] == "assistant" || turn["role"] == "model";
            let ends =
                (1..=turns.len()).filter(|end| !said_by_model(&turns[end - 1]) && turns.get(*end).is_none_or(said_by_model));
            let mut before: Option<(Vec<String>, Vec<String>)> = None;
            for end in ends {
                let (body, _) =
                    sent(from, &asked(from, &turns[..end]), to).unwrap_or_else(|error| panic!("{from:?} to {}: {error:?}", to.0));
                let (head, messages) = prefix(&body);
                if let Some((old_head, old_messages)) = before {
                    assert_eq!(head, old_head, "{from:?} to {} {}", to.0, to.1);
                    assert_eq!(messages[..old_messages.len()], old_messages, "{from:?} to {} {}", to.0, to.1);
                }
                before = Some((head, messages));
            }
        }
    }
}

#[test]
fn later_instructions_do_not_change_the_beginning_where_the_model_takes_them_later() {
    const LATEST: To = To("anthropic", "claude-opus-4-8");
    let say = |role: &str, text: &str| json!({"role": role, "content": text});
    let turns =
        [say("developer", "S"), say("user", "A"), say("assistant", "B"), say("developer", "Now in French."), say("user", "C")];
    let ask = |turns: &[Value], to| sent(OPENAI, &json!({"model": "m", "max_tokens": 9, "messages": turns}), to).expect("sent");
    let (body, warnings) = ask(&turns, LATEST);
    assert_eq!(body["system"], "S");
    assert_eq!(body["messages"][3], json!({"role": "system", "content": "Now in French."}));
    assert_eq!(warnings, r#"moved;at="messages[3]";why="system text goes behind the user's""#);
    let (body, warnings) =
        ask(&[&turns[..2], &[say("system", "1"), say("developer", "2")], &turns[2..3], &turns[4..]].concat(), LATEST);
    assert_eq!(body["messages"][1]["content"], json!([{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]));
    assert_eq!((body["messages"][2]["role"].as_str(), warnings.as_str()), (Some("assistant"), ""));
    // Older models, and clouds that host Claude, take instructions only in front.
    let (body, warnings) = ask(&turns, CLAUDE);
    assert_eq!(body["system"], json!([{"type": "text", "text": "S"}, {"type": "text", "text": "Now in French."}]));
    assert_eq!(warnings, r#"moved;at="messages[3]";why="system text goes first""#);
}
