//! Answers that `cargo xtask record` kept of real providers, held against the suite's own readers and core's decoders.
//!
//! So a reader that is stricter than reality, or a decoder that has drifted from it, is found the day a recording is made.
//! There are as many tests as recordings; a checkout without any has none.

use std::path::{Path, PathBuf};

use edgeway_core::dialect::{DialectId, Frame};

use crate::protocol::Protocol;
use crate::sse;

/// Every recording, as (name, file), sorted.
pub fn files() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded");
    let mut found = Vec::new();
    for protocol in Protocol::ALL {
        let entries = std::fs::read_dir(folder.join(protocol.name())).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| {
            let path = entry.path();
            (format!("{}/{}", protocol.name(), entry.file_name().to_string_lossy()), path)
        }));
    }
    found.sort();
    found
}

/// Reads a recording both ways.
pub fn check(name: &str, path: &Path) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let protocol = Protocol::ALL
        .into_iter()
        .find(|protocol| name.starts_with(&format!("{}/", protocol.name())))
        .ok_or("a recording of no known provider")?;
    let codec = match protocol {
        Protocol::Openai => DialectId::OpenAiChat,
        Protocol::Anthropic => DialectId::AnthropicMessages,
        Protocol::Gemini => DialectId::Gemini,
    }
    .codec();
    if !name.ends_with(".sse") {
        return codec.decode_response(&bytes).map(drop).map_err(|error| format!("core does not decode it: {error:?}"));
    }
    let frames = sse::frames(&bytes)?;
    let read = protocol.read_stream(&frames)?;
    if !read.ended {
        return Err(format!("the stream has no end: {read:?}"));
    }
    let mut decoder = codec.stream_decoder();
    let mut events = Vec::new();
    for frame in &frames {
        let data = Frame { event: &frame.event, data: frame.data.as_bytes() };
        decoder.frame(data, &mut events).map_err(|fault| format!("core does not know {frame:?}: {fault:?}"))?;
    }
    Ok(())
}
