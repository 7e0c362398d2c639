//! Server-sent events, as a strict client reads them. The suite's own, so that it does not trust what it tests.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its name; empty when it has none.
    pub event: String,
    /// Its data, lines joined.
    pub data: String,
}

/// Reads a whole stream. Refuses what a strict client would trip over: a byte-order mark, invalid UTF-8, a frame
/// without data, an unknown field, bytes after the last blank line.
pub fn frames(bytes: &[u8]) -> Result<Vec<Frame>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("the stream is not UTF-8: {error}"))?;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    let mut data: Option<String> = None;
    let mut rest = text.as_str();
    while let Some((line, tail)) = rest.split_once('\n') {
        rest = tail;
        if line.is_empty() {
            match data.take() {
                Some(data) => frames.push(Frame { data, ..std::mem::take(&mut frame) }),
                None if frame != Frame::default() => return Err(format!("an event without data: {frame:?}")),
                None => {}
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => {} // a comment
            "event" => value.clone_into(&mut frame.event),
            "data" => match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            },
            "id" | "retry" => {}
            unknown => return Err(format!("an unknown field {unknown:?} in the line {line:?}")),
        }
    }
    if !rest.is_empty() || data.is_some() {
        return Err(format!("the stream ends inside an event: {rest:?} {data:?}"));
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_a_cut_one_is_refused() {
        let read = frames(b"event: a\ndata: {\ndata: }\n\n: ping\n\ndata:x\r\n\r\n").unwrap();
        assert_eq!(read, [Frame { event: "a".into(), data: "{\n}".into() }, Frame { event: String::new(), data: "x".into() }]);
        assert!(frames(b"data: x\n").is_err());
        assert!(frames(b"data: x").is_err());
        assert!(frames(b"event: a\n\n").is_err());
    }
}
