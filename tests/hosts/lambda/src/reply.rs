//! A function's answer as pieces of a response: behind a prelude (status and headers as JSON, eight zero bytes, then the body),
//! or whole, as an object of JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A piece of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The first piece.
    Head { status: u16, headers: Vec<(String, String)> },
    /// Bytes of the body.
    Body(Vec<u8>),
    /// The proper end.
    End,
    /// The function failed: before the head a 502, after it a broken connection.
    Failed(String),
}

/// The bytes between a prelude and its body.
const DELIMITER: [u8; 8] = [0; 8];
/// Longest prelude.
const LONGEST: usize = 64 << 10;

/// Reads a streamed answer.
#[derive(Default)]
pub(crate) struct Prelude {
    bytes: Vec<u8>,
    over: bool,
}

impl Prelude {
    /// Takes what arrived, gives what it means.
    pub(crate) fn take(&mut self, bytes: Vec<u8>) -> Result<Vec<Piece>, String> {
        if self.over {
            return Ok(vec![Piece::Body(bytes)]);
        }
        self.bytes.extend(bytes);
        let Some(end) = self.bytes.windows(DELIMITER.len()).position(|window| window == DELIMITER) else {
            return if self.bytes.len() > LONGEST { Err("the prelude has no end".into()) } else { Ok(Vec::new()) };
        };
        self.over = true;
        let prelude: Value = serde_json::from_slice(&self.bytes[..end]).map_err(|error| format!("the prelude: {error}"))?;
        let mut pieces = vec![head(&prelude)?];
        let body = self.bytes.split_off(end + DELIMITER.len());
        if !body.is_empty() {
            pieces.push(Piece::Body(body));
        }
        Ok(pieces)
    }

    /// Whether an answer may end here.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }
}

/// Reads a whole answer.
pub(crate) fn whole(bytes: &[u8]) -> Result<Vec<Piece>, String> {
    let reply: Value = serde_json::from_slice(bytes).map_err(|error| format!("the answer: {error}"))?;
    let text = reply["body"].as_str().unwrap_or_default();
    let body = match reply["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text).map_err(|error| format!("the answer's body: {error}"))?,
        _ => text.as_bytes().to_vec(),
    };
    let Piece::Head { status, mut headers } = head(&reply)? else { return Err("no head".into()) };
    headers.push(("content-length".into(), body.len().to_string()));
    Ok(vec![Piece::Head { status, headers }, Piece::Body(body), Piece::End])
}

fn head(value: &Value) -> Result<Piece, String> {
    let status = value["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).ok_or("the answer has no status")?;
    let mut headers = Vec::new();
    let mut add = |name: &str, value: &Value| match value.as_str() {
        Some(text) => {
            headers.push((name.to_owned(), text.to_owned()));
            Ok(())
        }
        None => Err(format!("the header {name} is no text: {value}")),
    };
    for (name, value) in value["headers"].as_object().into_iter().flatten() {
        add(name, value)?;
    }
    for (name, values) in value["multiValueHeaders"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten() {
            add(name, value)?;
        }
    }
    for cookie in value["cookies"].as_array().into_iter().flatten() {
        add("set-cookie", cookie)?;
    }
    Ok(Piece::Head { status, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prelude_may_be_cut_anywhere() {
        let bytes = [&br#"{"statusCode":201,"headers":{"a":"b"},"cookies":["c=d"]}"#[..], &DELIMITER, b"body"].concat();
        for cut in 0..bytes.len() {
            let mut prelude = Prelude::default();
            let mut pieces = prelude.take(bytes[..cut].to_vec()).unwrap();
            pieces.extend(prelude.take(bytes[cut..].to_vec()).unwrap());
            let body: Vec<u8> = pieces
                .iter()
                .skip(1)
                .flat_map(|piece| if let Piece::Body(bytes) = piece { bytes.clone() } else { panic!() })
                .collect();
            assert_eq!(body, b"body");
            let headers = vec![("a".into(), "b".into()), ("set-cookie".into(), "c=d".into())];
            assert_eq!(pieces[0], Piece::Head { status: 201, headers });
        }
    }
}
