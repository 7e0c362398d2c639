//! The plain question "Hello" and answer "Hello there!" of each protocol, for cases that are about something else.
//!
//! Shapes are those of the providers' API references and SDKs (openai 2.x, anthropic 0.7x, google-genai 1.x), whole and streamed.

use crate::protocol::Protocol;

/// One protocol's sample.
pub(super) struct Sample {
    /// What a caller asks, without model and stream.
    pub(super) request: &'static str,
    /// What a provider is asked when the request was translated.
    pub(super) asked: &'static str,
    /// What a provider answers, whole.
    pub(super) answer: &'static str,
    /// What a provider answers, streamed.
    pub(super) stream: &'static str,
    /// What a caller must get at least, whichever provider answered.
    pub(super) response: &'static str,
}

macro_rules! sample {
    ($name:literal) => {
        Sample {
            request: include_str!(concat!("samples/", $name, ".request.json")),
            asked: include_str!(concat!("samples/", $name, ".asked.json")),
            answer: include_str!(concat!("samples/", $name, ".answer.json")),
            stream: include_str!(concat!("samples/", $name, ".stream.sse")),
            response: include_str!(concat!("samples/", $name, ".response.json")),
        }
    };
}

/// The sample of a protocol.
pub(super) fn sample(protocol: Protocol) -> Sample {
    match protocol {
        Protocol::Openai => sample!("openai"),
        Protocol::Anthropic => sample!("anthropic"),
        Protocol::Gemini => sample!("gemini"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Mode, differences};
    use crate::sse::frames;

    #[test]
    fn a_samples_stream_adds_up_to_its_answer() {
        for protocol in Protocol::ALL {
            let sample = sample(protocol);
            let streamed = protocol.read_stream(&frames(sample.stream.as_bytes()).unwrap()).unwrap();
            assert!(streamed.ended && streamed.error.is_none());
            let expected = serde_json::from_str(sample.response).unwrap();
            let answer = serde_json::from_str(sample.answer).unwrap();
            assert_eq!(differences(&expected, &answer, Mode::Includes), Vec::<String>::new());
            assert_eq!(differences(&expected, &streamed.whole, Mode::Includes), Vec::<String>::new());
        }
    }
}
