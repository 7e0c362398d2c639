//! What providers get of requests in another protocol.

use serde_json::json;

use super::{ANTHROPIC, CLAUDE, GEMINI, GEMINI_3, GEMINI_25, GPT, OPENAI, plain, refusal, sent};

#[test]
fn a_plain_question_loses_nothing_and_says_nothing() {
    for (from, to) in [
        (OPENAI, CLAUDE),
        (OPENAI, GEMINI_25),
        (OPENAI, GEMINI_3),
        (ANTHROPIC, GPT),
        (ANTHROPIC, GEMINI_25),
        (GEMINI, GPT),
        (GEMINI, CLAUDE),
    ] {
        let (_, warnings) = sent(from, &plain(from, json!({})), to).expect("sent");
        assert_eq!(warnings, "", "{from:?} to {}", to.0);
    }
}

#[test]
fn what_only_its_own_provider_can_do_is_refused_and_not_left_out() {
    let openai = [
        ("modalities", json!({"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "ash"}})),
        ("web_search_options", json!({"web_search_options": {}})),
        ("moderation", json!({"moderation": {"model": "m", "policy": {"output": {"mode": "block"}}}})),
        (
            "messages[1].audio",
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "audio": {"id": "audio_1"}}]}),
        ),
    ];
    let anthropic = [
        ("container", json!({"container": "container_1"})),
        ("inference_geo", json!({"inference_geo": "eu"})),
        ("mcp_servers", json!({"mcp_servers": [{"type": "url", "url": "https://x.example", "name": "x"}]})),
    ];
    let gemini = [
        ("cachedContent", json!({"cachedContent": "cachedContents/c1"})),
        ("generationConfig.responseModalities", json!({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}})),
        (
            "generationConfig.responseMimeType",
            json!({"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}}),
        ),
        ("continuationToken", json!({"continuationToken": "dA=="})),
    ];
    for (from, fields, foreign) in
        [(OPENAI, &openai[..], [CLAUDE, GEMINI_25]), (ANTHROPIC, &anthropic, [GPT, GEMINI_25]), (GEMINI, &gemini, [GPT, CLAUDE])]
    {
        for (field, more) in fields {
            for to in foreign {
                let (param, message) = refusal(from, &plain(from, more.clone()), to);
                assert_eq!(param, *field, "{message}");
                assert!(message.contains(to.0) && message.contains(field), "{message}");
            }
        }
    }
}

#[test]
fn blocks_that_only_one_provider_reads_are_refused_in_what_the_model_is_told() {
    let result = json!({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]});
    let told = plain(ANTHROPIC, json!({"messages": [{"role": "user", "content": [result]}]}));
    let found = plain(
        ANTHROPIC,
        json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [result]}]},
        ]}),
    );
    for to in [GPT, GEMINI_25] {
        assert_eq!(refusal(ANTHROPIC, &told, to).0, "messages[0].content[0]");
        assert_eq!(refusal(ANTHROPIC, &found, to).0, "messages[2].content[0]");
    }
    let code = json!({"executableCode": {"language": "PYTHON", "code": "1"}});
    let told = plain(GEMINI, json!({"contents": [{"role": "user", "parts": [code]}]}));
    for to in [GPT, CLAUDE] {
        assert_eq!(refusal(GEMINI, &told, to).0, "contents[0].parts[0]");
    }
    // In an earlier answer they only explain how it came about.
    let said = json!({"contents": [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "model", "parts": [code, {"text": "It is 1."}]},
        {"role": "user", "parts": [{"text": "b"}]},
    ]});
    for to in [GPT, CLAUDE] {
        let (_, warnings) = sent(GEMINI, &plain(GEMINI, said.clone()), to).expect("sent");
        assert!(warnings.contains("dropped;at=\"contents[1].parts[0]\""), "{warnings}");
    }
}

#[test]
fn what_is_so_anyway_is_no_loss() {
    let openai = json!({
        "modalities": ["text"], "store": false, "verbosity": "medium", "logit_bias": {}, "n": 1, "metadata": {},
        "stream_options": {"include_obfuscation": false, "include_usage": true}, "stream": true,
        "response_format": {"type": "text"}, "logprobs": false, "parallel_tool_calls": true,
        // As the Python SDK's `message.model_dump()` returns an answer.
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "refusal": null, "annotations": [], "audio": null, "function_call": null, "tool_calls": null},
            {"role": "user", "content": "c"},
        ],
    });
    for to in [CLAUDE, GEMINI_25] {
        assert_eq!(sent(OPENAI, &plain(OPENAI, openai.clone()), to).expect("sent").1, "", "{}", to.0);
    }
    let anthropic = json!({
        "speed": "standard", "metadata": {}, "stream": true,
        "tools": [{
            "type": "custom", "name": "f", "input_schema": {"type": "object"},
            "eager_input_streaming": true, "defer_loading": false, "allowed_callers": ["direct"],
        }],
        // As the Python SDK returns an answer.
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "text", "text": "b", "citations": null}]},
            {"role": "user", "content": "c"},
        ],
    });
    for to in [GPT, GEMINI_25] {
        assert_eq!(sent(ANTHROPIC, &plain(ANTHROPIC, anthropic.clone()), to).expect("sent").1, "", "{}", to.0);
    }
    let gemini = json!({
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}, "includeServerSideToolInvocations": false}, "store": false,
        "tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
        "generationConfig": {"responseModalities": ["TEXT"], "mediaResolution": "MEDIA_RESOLUTION_UNSPECIFIED", "audioTimestamp": false},
    });
    for to in [GPT, CLAUDE] {
        assert_eq!(sent(GEMINI, &plain(GEMINI, gemini.clone()), to).expect("sent").1, "", "{}", to.0);
    }
}

#[test]
fn a_tier_that_all_have_goes_by_each_providers_name_without_a_word() {
    let openai = |tier: &str, to| sent(OPENAI, &plain(OPENAI, json!({"service_tier": tier})), to).expect("sent");
    for (tier, claude, gemini) in [("default", json!("standard_only"), json!("standard")), ("auto", json!("auto"), json!(null))] {
        let ((to_claude, one), (to_gemini, two)) = (openai(tier, CLAUDE), openai(tier, GEMINI_25));
        assert_eq!((&to_claude["service_tier"], &to_gemini["serviceTier"]), (&claude, &gemini), "{tier}");
        assert_eq!((one.as_str(), two.as_str()), ("", ""), "{tier}");
    }
    for (tier, gemini) in [("priority", "priority"), ("fast", "priority"), ("flex", "flex")] {
        assert_eq!(openai(tier, GEMINI_25).0["serviceTier"], gemini);
        assert!(openai(tier, CLAUDE).1.contains("dropped;at=\"service_tier\""));
    }
    let (body, warnings) = sent(ANTHROPIC, &plain(ANTHROPIC, json!({"service_tier": "standard_only"})), GPT).expect("sent");
    assert_eq!((&body["service_tier"], warnings.as_str()), (&json!("default"), ""));
    let (body, warnings) = sent(GEMINI, &plain(GEMINI, json!({"serviceTier": "standard"})), GPT).expect("sent");
    assert_eq!((&body["service_tier"], warnings.as_str()), (&json!("default"), ""));
    let (body, warnings) = sent(GEMINI, &plain(GEMINI, json!({"serviceTier": "standard"})), CLAUDE).expect("sent");
    assert_eq!((&body["service_tier"], warnings.as_str()), (&json!("standard_only"), ""));
}

#[test]
fn a_schema_keeps_its_order_and_its_description() {
    let gemini = json!({"generationConfig": {"responseMimeType": "application/json", "responseSchema": {
        "type": "OBJECT", "properties": {"b": {"type": "STRING"}, "a": {"type": "STRING"}}, "propertyOrdering": ["a", "b"], "required": ["a", "b"],
    }}});
    for (to, place) in
        [(GPT, "/response_format/json_schema/schema/properties"), (CLAUDE, "/output_config/format/schema/properties")]
    {
        let (body, warnings) = sent(GEMINI, &plain(GEMINI, gemini.clone()), to).expect("sent");
        let properties = body.pointer(place).and_then(|properties| properties.as_object()).expect("properties");
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["a", "b"], "{}", to.0);
        assert_eq!(warnings, "");
    }
    let schema = json!({"name": "city", "description": "A city.", "schema": {"type": "object", "properties": {}}});
    let openai = json!({"response_format": {"type": "json_schema", "json_schema": schema}});
    for (to, place) in [(GEMINI_25, "/generationConfig/responseJsonSchema"), (CLAUDE, "/output_config/format/schema")] {
        let (body, warnings) = sent(OPENAI, &plain(OPENAI, openai.clone()), to).expect("sent");
        assert_eq!(body.pointer(place).expect("a schema")["description"], "A city.");
        assert_eq!(warnings, "");
    }
}

#[test]
fn what_is_lost_or_refused_is_found_where_the_caller_wrote_it() {
    let file = json!({"type": "image", "source": {"type": "file", "file_id": "f1"}});
    let shown = json!({"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}, "transformations": {"oversized_image": "error"}});
    let claude = |last: serde_json::Value| {
        plain(
            ANTHROPIC,
            json!({"system": [{"type": "text", "text": "s"}, {"type": "text", "text": "t", "citations": [{"type": "char_location"}]}], "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [shown]}, {"type": "text", "text": "b"}, last]},
            ]}),
        )
    };
    for to in [GPT, GEMINI_25] {
        let (param, message) = refusal(ANTHROPIC, &claude(file.clone()), to);
        assert_eq!(param, "messages[2].content[2]", "{message}");
        assert!(!message.contains("messages[4]"), "{message}");
        let (_, warnings) = sent(ANTHROPIC, &claude(json!({"type": "text", "text": "c"})), to).expect("sent");
        assert!(warnings.contains("dropped;at=\"system[1].citations\""), "{warnings}");
        assert!(warnings.contains("dropped;at=\"messages[2].content[0].transformations\""), "{warnings}");
    }
    let gemini = plain(
        GEMINI,
        json!({"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "user", "parts": [{"text": "b"}, {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://x/y.pdf"}}]},
        ]}),
    );
    for to in [GPT, CLAUDE] {
        assert_eq!(refusal(GEMINI, &gemini, to).0, "contents[1].parts[1]");
    }
}
