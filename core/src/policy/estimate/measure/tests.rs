use super::*;

#[test]
fn media_is_counted_where_each_protocol_reads_it() {
    let png = "A".repeat(5_000);
    for (body, images) in [
        (
            format!(
                r#"{{"messages":[{{"content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{png}"}}}}]}}]}}"#
            ),
            1,
        ),
        (format!(r#"{{"messages":[{{"content":[{{"image\u005furl":{{"ur\u006c":"data:image/png;base64,{png}"}}}}]}}]}}"#), 1),
        (
            format!(
                r#"{{"messages":[{{"content":[{{"source":{{"data":"{png}","media_type":"image/png","type":"base64"}},"type":"image"}}]}}]}}"#
            ),
            1,
        ),
        (
            format!(
                r#"{{"messages":[{{"content":[{{"type":"tool_result","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{png}"}}}}]}},
                    {{"type":"image","source":{{"type":"url","url":"https://a.test/{png}"}}}}]}}]}}"#
            ),
            2,
        ),
        (format!(r#"{{"contents":[{{"parts":[{{"inlineData":{{"mimeType":"image/png","data":"{png}"}}}}]}}]}}"#), 1),
        (
            format!(
                r#"{{"contents":{{"parts":[{{"functionResponse":{{"name":"f","parts":[{{"inline_data":{{"mime_type":"image/png","data":"{png}"}}}}]}}}}]}}}}"#
            ),
            1,
        ),
    ] {
        let found = measure(body.as_bytes());
        let urls = if body.contains("https:") { 5_000 } else { 0 };
        assert_eq!((found.images, found.untold), (images, false), "{body}");
        assert!(found.text_bytes - urls < 400, "{body}");
    }
}

#[test]
fn what_only_looks_like_media_is_text() {
    let text = "A".repeat(5_000);
    for body in [
        format!(r#"{{"messages":[{{"role":"user","content":"data:image/png;base64,{text}"}}]}}"#),
        format!(r#"{{"messages":[{{"content":[{{"type":"text","text":"data:image/png;base64,{text}"}}]}}]}}"#),
        format!(
            r#"{{"messages":[{{"content":[{{"type":"tool_use","input":{{"source":{{"type":"base64","media_type":"image/png","data":"{text}"}}}}}}]}}]}}"#
        ),
        format!(
            r#"{{"messages":[{{"content":[{{"type":"document","source":{{"type":"text","media_type":"text/plain","data":"{text}"}}}}]}}]}}"#
        ),
        format!(
            r#"{{"contents":[{{"parts":[{{"functionCall":{{"args":{{"inlineData":{{"mimeType":"image/png","data":"{text}"}}}}}}}}]}}]}}"#
        ),
        format!(r#"{{"contents":[{{"parts":[{{"inlineData":{{"mimeType":"text/csv","data":"{text}"}}}}]}}]}}"#),
        format!(r#"{{"tools":[{{"messages":[{{"content":[{{"image_url":{{"url":"data:image/png;base64,{text}"}}}}]}}]}}]}}"#),
    ] {
        let found = measure(body.as_bytes());
        assert_eq!((found.text_bytes, found.images), (body.len() as u64, 0), "{body}");
    }
}

#[test]
fn what_cannot_be_told_is_said() {
    for body in [
        r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}]}"#,
        r#"{"messages":[{"role":"assistant","audio":{"id":"a"}}]}"#,
        r#"{"messages":[{"content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}]}"#,
        r#"{"messages":[{"content":[{"type":"document","source":{"type":"url","url":"https://a.test/a.pdf"}}]}]}"#,
        r#"{"contents":[{"parts":[{"fileData":{"fileUri":"gs://a","mimeType":"video/mp4"}}]}]}"#,
        r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"AA"}}]}]}"#,
        r#"{"cachedContent":"cachedContents/a","contents":[]}"#,
        r#"{"messages":[{"content":[{"type":"input_audio","input_audio":{"data":"ZkxhQwAA","format":"wav"}}]}]}"#,
    ] {
        assert!(measure(body.as_bytes()).untold, "{body}");
    }
}

#[test]
fn sound_counts_by_what_its_first_bytes_say() {
    let sound = |data: &str| {
        let body = format!(r#"{{"messages":[{{"content":[{{"input_audio":{{"format":"wav","data":"{data}"}}}}]}}]}}"#);
        let found = measure(body.as_bytes());
        assert!(found.sound_input && found.text_bytes < 100);
        found.sound_tokens
    };
    assert_eq!(sound(&format!("UklGR{}", "A".repeat(33_295))), 100);
    assert_eq!(sound(&format!("SUQz{}", "A".repeat(4_096))), 100);
    assert_eq!(sound(&"A".repeat(100)), 100);
}

#[test]
fn what_is_asked_for_is_read_from_every_protocols_fields() {
    for (body, asked, answers) in [
        (r#"{"max_tokens":5,"max_completion_tokens":7,"n":3}"#, Some(7), 3),
        (r#"{"max_tokens":null,"n":null}"#, None, 1),
        (r#"{"max_tokens":1e3}"#, Some(1000), 1),
        (r#"{"max_tokens":-4,"n":0}"#, None, 1),
        (r#"{"max_tokens":99999999999999999999999}"#, Some(u64::MAX), 1),
        (r#"{"generationConfig":{"maxOutputTokens":9,"candidateCount":2}}"#, Some(9), 2),
        (r#"{"generation_config":{"max_output_tokens":9}}"#, Some(9), 1),
    ] {
        let found = measure(body.as_bytes());
        assert_eq!((found.asked, found.answers), (asked, answers), "{body}");
    }
    assert!(measure(br#"{"modalities":["text","audio"]}"#).sound_output);
    assert!(measure(br#"{"messages":[{"content":[{"cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}"#).cached_for_an_hour);
}

#[test]
fn nothing_that_is_no_json_stops_it() {
    let body = r#"{"messages":[{"content":[{"type":"image","source":{"data":"\"a","type":"base64"}}]}],"n":2}"#;
    for end in 0..body.len() {
        let found = measure(&body.as_bytes()[..end]);
        assert!(found.text_bytes + 3 >= end as u64);
    }
    for body in ["", "[", "{,:", "{\"messages\":[}", "{\"messages\":[[[[", "{\"a\"}", "\"\\"] {
        measure(body.as_bytes());
    }
    let deep = format!("{{\"messages\":[{{\"content\":{}", "[{\"content\":".repeat(50_000));
    assert!(measure(deep.as_bytes()).untold);
}
