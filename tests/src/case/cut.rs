//! Cuts a scripted body into chunks, so that a case can say where the network parts it.

use serde::Deserialize;

/// Where a body is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cut {
    /// After each event, as providers write.
    #[default]
    Frames,
    /// After each byte.
    Bytes,
    /// Nowhere.
    Whole,
    /// Every so many bytes.
    Every(usize),
    /// After each event, with CRLF line ends.
    Crlf,
}

impl Cut {
    /// Its name in a case's name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Frames => "frames".into(),
            Self::Bytes => "bytes".into(),
            Self::Whole => "whole".into(),
            Self::Every(size) => format!("every_{size}"),
            Self::Crlf => "crlf".into(),
        }
    }

    /// The chunks of `body`; none of them empty.
    pub(super) fn chunks(&self, body: &str) -> Vec<Vec<u8>> {
        let events = |body: &str, end: &str| body.split_inclusive(end).map(|event| event.as_bytes().to_vec()).collect();
        let chunks: Vec<Vec<u8>> = match self {
            Self::Frames => events(body, "\n\n"),
            Self::Bytes => body.bytes().map(|byte| vec![byte]).collect(),
            Self::Whole => vec![body.as_bytes().to_vec()],
            Self::Every(size) => body.as_bytes().chunks((*size).max(1)).map(<[u8]>::to_vec).collect(),
            Self::Crlf => events(&body.replace('\n', "\r\n"), "\r\n\r\n"),
        };
        chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_body_is_the_same_body() {
        let body = "data: é\n\ndata: b\n\n";
        for cut in [Cut::Frames, Cut::Bytes, Cut::Whole, Cut::Every(3)] {
            assert_eq!(cut.chunks(body).concat(), body.as_bytes(), "{cut:?}");
        }
        assert_eq!(Cut::Frames.chunks(body).len(), 2);
        assert_eq!(Cut::Crlf.chunks(body).concat(), body.replace('\n', "\r\n").as_bytes());
    }
}
