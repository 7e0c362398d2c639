//! Streams whose callers leave: each is settled once, at what was delivered.

use std::collections::BTreeSet;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::exchange::Outcome;
use edgeway_core::ports::Entropy;
use edgeway_core::ports::memory::{SeededEntropy, Step};
use futures_util::StreamExt;
use futures_util::future::join;
use serde_json::json;

use crate::world::{FORGETFUL, chat, chunk, completion, finish, header, pause, stream, world};

/// Frames of a whole answer, and tokens of each: four letters a token.
const FRAMES: usize = 60;
const TOKENS: u64 = 8;

fn answer() -> Vec<Bytes> {
    let mut frames: Vec<Bytes> = (0..FRAMES).map(|_| chunk(&"word".repeat(TOKENS as usize))).collect();
    let usage =
        json!({"prompt_tokens": 30, "completion_tokens": FRAMES as u64 * TOKENS, "total_tokens": 30 + FRAMES as u64 * TOKENS});
    let stop = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let last = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage});
    frames.push(format!("data: {stop}\n\n").into());
    frames.push(format!("data: {last}\n\ndata: [DONE]\n\n").into());
    frames
}

#[test]
fn a_thousand_streams_whose_callers_leave_at_random_bytes_are_each_settled_once_at_what_was_delivered() {
    let limits = "[limits.all]\noutput_tokens = \"1000000000/day\"";
    let world = world(4, limits, |outbound| match outbound.request.uri().host() {
        Some("oa.test") => stream(answer().into_iter().map(Step::Chunk)),
        _ => completion(3, 0),
    });
    let whole: usize = answer().iter().map(Bytes::len).sum();
    let dice = SeededEntropy::new(5);
    let body = json!({"model": "oa/m", "max_tokens": 1000, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let mut charged = 0;
    for round in 0..1000_usize {
        let most = usize::try_from(dice.u64()).expect("64 bits") % (whole + 200);
        let handled = world.handle(round % 4, chat("alice", &body));
        let read = async {
            let Body::Stream(mut stream) = handled.response.await.into_body() else { panic!("a stream") };
            let mut read = Vec::new();
            while read.len() < most {
                let Some(chunk) = stream.next().await else { break };
                read.extend_from_slice(&chunk.expect("bodies to callers do not break"));
                pause(1).await;
            }
            drop(stream);
            String::from_utf8(read).expect("text")
        };
        let (read, ()) = finish(join(read, handled.after));
        let record = world.records().pop().expect("its record");
        let usage = record.usage.expect("what was delivered");
        let delivered = read.matches("word").count() as u64;
        let ended = read.contains("[DONE]");
        assert_eq!(
            record.outcome,
            Some(if ended { Outcome::Complete } else { Outcome::Abandoned }),
            "after {} bytes",
            read.len()
        );
        if record.estimated {
            let off = usage.output.abs_diff(delivered);
            assert!(off <= TOKENS || off * 20 <= delivered, "{} for {delivered}", usage.output);
            assert!(usage.output + TOKENS >= delivered, "never under by more than a chunk");
        } else {
            assert_eq!(usage.output, FRAMES as u64 * TOKENS);
        }
        charged += usage.output_total();
    }
    let records = world.records();
    let ids: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!((records.len(), ids.len()), (1000, 1000), "none is lost, none is doubled");
    assert!(records.iter().filter(|record| record.estimated).count() > 800);
    let last = json!({"model": "an/m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]});
    let last = finish(world.send(0, crate::world::post("/v1/chat/completions", "alice", &last)));
    let left = header(&last, "ratelimit").expect("how it stands").split(";r=").nth(1).expect("a figure");
    let left: u64 = left.split(';').next().expect("a figure").parse().expect("a number");
    assert_eq!(1_000_000_000 - 1 - left, charged, "the limit counts what the records say");
}

#[test]
fn callers_that_leave_at_any_moment_leave_nothing_reserved() {
    let limits = "[limits.all]\nconcurrency = 5\noutput_tokens = \"100000/day\"\ntokens = \"1000000000/day\"";
    let world = world(2, limits, |_| completion(3, 2));
    let body = json!({"model": "oa/m", "max_tokens": 10000, "messages": [{"role": "user", "content": "hi"}]});
    for polls in 0..60 {
        for mood in [crate::world::WELL, FORGETFUL] {
            world.set_mood(mood);
            let mut handled = world.handle(polls % 2, chat("alice", &body));
            for _ in 0..polls {
                if futures_util::FutureExt::now_or_never(&mut handled.response).is_some() {
                    handled.response = Box::pin(std::future::pending());
                    break;
                }
            }
            drop(handled.response);
            world.set_mood(crate::world::WELL);
            finish(handled.after);
        }
    }
    assert_eq!(world.records().len(), 120);
    let last = finish(world.send(0, chat("alice", &body)));
    let left = header(&last, "ratelimit").expect("how it stands");
    let spent: u64 = world.records().iter().filter_map(|record| record.usage).map(|usage| usage.output_total()).sum();
    assert!(left.contains(&format!("output_tokens.day\";r={}", 100_000 - 10_000 - spent + 2)), "{left} {spent}");
}
