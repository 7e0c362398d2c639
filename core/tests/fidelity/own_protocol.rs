//! A request that is decoded and encoded for its own protocol: it had a turn with another provider and
//! carries that one's state. Everything but the state must be there again.

use serde_json::{Value, json};

use super::{ANTHROPIC, CLAUDE, GEMINI, GEMINI_3, GPT, OPENAI, To, plain, sent};

/// Checks that every field of `more` arrives as it was, and that nothing is lost.
fn stays(from: edgeway_core::dialect::DialectId, to: To, more: Value) {
    let whole = plain(from, more.clone());
    let (body, warnings) = sent(from, &whole, to).expect("sent");
    assert_eq!(warnings, "", "{more}");
    for field in more.as_object().expect("an object").keys() {
        assert_eq!(body[field], whole[field], "{field}");
    }
}

#[test]
fn openais_fields_come_back_to_openai() {
    let marked = json!({"type": "text", "text": "Long.", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}});
    for more in [
        json!({"messages": [{"role": "developer", "content": [marked]}, {"role": "user", "content": [marked, {
            "type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}, "prompt_cache_breakpoint": {"mode": "explicit"},
        }]}]}),
        json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": [marked]},
        ]}),
        json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "audio": {"id": "audio_1"}}, {"role": "user", "content": "b"}]}),
        json!({"safety_identifier": "u1"}),
        json!({"user": "u1"}),
        json!({"user": "u1", "safety_identifier": "u2"}),
        json!({"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "ash"}}),
        json!({"prompt_cache_key": "k", "prompt_cache_options": {"mode": "explicit", "ttl": "30m"}, "prompt_cache_retention": "24h"}),
        json!({"web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Oslo"}}}, "verbosity": "low"}),
        json!({"moderation": {"model": "m", "policy": {"input": {"mode": "block"}}}, "store": true, "logit_bias": {"50256": -100}}),
        json!({"prediction": {"type": "content", "content": "x"}, "service_tier": "fast", "reasoning_effort": "none", "n": 2, "seed": 7}),
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": false}}}),
        json!({"tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}}], "tool_choice": {"type": "custom", "custom": {"name": "c"}}}),
    ] {
        stays(OPENAI, GPT, more);
    }
}

#[test]
fn anthropics_fields_come_back_to_anthropic() {
    let picture = json!({"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}});
    for more in [
        json!({"output_config": {"effort": "low"}}),
        json!({"output_config": {"effort": "high", "task_budget": {"type": "tokens", "total": 9}}, "thinking": {"type": "adaptive", "display": "omitted"}}),
        json!({"thinking": {"type": "disabled"}}),
        json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}, "inference_geo": "eu", "speed": "fast", "service_tier": "standard_only"}),
        json!({"container": {"id": "c1", "skills": [{"type": "anthropic", "skill_id": "pdf"}]}, "diagnostics": {"previous_message_id": "m"}}),
        json!({"metadata": {"user_id": "u1"}, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
        json!({"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "t"}]}),
        json!({"messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}, picture]}, "title": "t", "citations": {"enabled": true}},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}, "context": "c"},
            {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
            {"type": "container_upload", "file_id": "f1"},
        ]}]}),
        json!({"tools": [
            {"name": "f", "input_schema": {"type": "object"}, "defer_loading": true, "eager_input_streaming": true, "input_examples": [{"a": 1}]},
            {"type": "web_search_20260209", "name": "web_search", "max_uses": 3},
        ], "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
    ] {
        stays(ANTHROPIC, CLAUDE, more);
    }
    // Instructions in the conversation, for a model that takes them.
    let turns = json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "From now on in French."},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
    ]});
    stays(ANTHROPIC, To("anthropic", "claude-opus-4-8"), turns);
}

#[test]
fn geminis_fields_come_back_to_gemini() {
    for more in [
        json!({"cachedContent": "cachedContents/c1", "labels": {"team": "a"}, "serviceTier": "flex", "store": false}),
        json!({"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]}),
        json!({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "1:1"}, "mediaResolution": "MEDIA_RESOLUTION_LOW"}}),
        json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": true}, "seed": 1, "topK": 3}}),
        json!({"generationConfig": {"responseMimeType": "text/x.enum", "responseJsonSchema": {"type": "string", "enum": ["a"]}}}),
        json!({"contents": [{"role": "user", "parts": [
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg==", "displayName": "a.pdf"}},
            {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x", "displayName": "v"}, "videoMetadata": {"fps": 2}},
            {"text": "t", "partMetadata": {"a": 1}},
        ]}]}),
        json!({"contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": [
                {"thought": true, "inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"text": "b", "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "f1", "name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"},
            ]},
            {"role": "user", "parts": [{"functionResponse": {"id": "f1", "name": "f", "response": {"a": 1}, "scheduling": "SILENT"}}]},
            {"role": "model", "parts": [{"text": "c"}]},
            {"role": "user", "parts": [{"text": "d"}]},
        ]}),
        json!({"tools": [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING", "response": {"type": "STRING"}}]}, {"googleSearch": {}}],
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}, "includeServerSideToolInvocations": true}}),
    ] {
        stays(GEMINI, GEMINI_3, more);
    }
}
