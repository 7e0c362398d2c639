//! HTTP/1.1 on a socket, byte by byte, both sides: what a scripted provider and a plain client need.
//!
//! Reads what well-behaved peers send (`content-length` and chunked bodies) and shows what arrived; never repairs,
//! retries or waits longer than [`PATIENCE`].

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a read may wait. Far above anything a passing test needs; it only ends a hopeless one.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A start line and headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The first line, `POST /x HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub start: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A word of the start line.
    pub fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    fn framing(&self) -> Framing {
        let chunked = self.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"));
        match (chunked, self.header("content-length")) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length.trim().parse().unwrap_or(0)),
            (false, None) => Framing::None,
        }
    }
}

enum Framing {
    None,
    Length(usize),
    Chunked,
}

/// One side of a connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Takes a connected socket; small writes leave at once.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Writes and flushes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Writes one chunk of a chunked body.
    pub fn write_chunk(&mut self, chunk: &[u8]) -> io::Result<()> {
        let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
        self.write(&framed)
    }

    /// Reads a head; `None` when the peer closed before its first byte.
    pub fn read_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return parse(&head[..end]).map(Some);
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(cut("inside a head")) };
            }
        }
    }

    /// Reads the whole body that `head` announces.
    pub fn read_body(&mut self, head: &Head, until_close: bool) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        let mut body = BodyReader::new(head, until_close);
        while let Some(chunk) = body.next(self)? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// Waits until the peer closes or breaks the connection, dropping what it still sends.
    pub fn wait_for_close(&mut self) -> bool {
        self.buffer.clear();
        loop {
            match self.fill() {
                Ok(0) => return true,
                Ok(_) => self.buffer.clear(),
                Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
        }
    }

    /// Breaks the connection with a reset instead of an end.
    pub fn reset(self) -> io::Result<()> {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut more = [0; 16 << 10];
        loop {
            match self.stream.read(&mut more) {
                Ok(read) => {
                    self.buffer.extend_from_slice(&more[..read]);
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads a body as it arrives.
pub struct BodyReader {
    framing: Framing,
    until_close: bool,
    done: bool,
    trailers: Vec<(String, String)>,
}

impl BodyReader {
    /// The body of `head`; a response without framing lasts until the connection closes.
    pub fn new(head: &Head, until_close: bool) -> Self {
        Self { framing: head.framing(), until_close, done: false, trailers: Vec::new() }
    }

    /// The next bytes; `None` at the body's proper end. A body that is cut is an error.
    pub fn next(&mut self, connection: &mut Connection) -> io::Result<Option<Vec<u8>>> {
        if self.done {
            return Ok(None);
        }
        match &mut self.framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                if connection.buffer.is_empty() && connection.fill()? == 0 {
                    return Err(cut("inside a body"));
                }
                let take = connection.buffer.len().min(*left);
                *left -= take;
                Ok(Some(connection.buffer.drain(..take).collect()))
            }
            Framing::Chunked => self.next_chunk(connection),
            Framing::None if !self.until_close => Ok(None),
            Framing::None => {
                if connection.buffer.is_empty() && connection.fill()? == 0 {
                    self.done = true;
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut connection.buffer)))
            }
        }
    }

    fn next_chunk(&mut self, connection: &mut Connection) -> io::Result<Option<Vec<u8>>> {
        let line_end = loop {
            match find(&connection.buffer, b"\r\n") {
                Some(end) => break end,
                None if connection.fill()? == 0 => return Err(cut("inside a chunk's length")),
                None => {}
            }
        };
        let line = String::from_utf8_lossy(&connection.buffer[..line_end]).into_owned();
        let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("not a chunk's length: {line:?}")))?;
        if length == 0 {
            return self.read_trailers(connection, line_end);
        }
        let end = line_end + 2 + length + 2;
        while connection.buffer.len() < end {
            if connection.fill()? == 0 {
                return Err(cut("inside a chunk"));
            }
        }
        let chunk: Vec<u8> = connection.buffer.drain(..end).skip(line_end + 2).take(length).collect();
        Ok(Some(chunk))
    }

    /// What stands behind the last chunk, whose line ends there.
    fn read_trailers(&mut self, connection: &mut Connection, line_end: usize) -> io::Result<Option<Vec<u8>>> {
        let end = loop {
            match find(&connection.buffer[line_end..], b"\r\n\r\n") {
                Some(length) => break line_end + length,
                None if connection.fill()? == 0 => return Err(cut("inside a body's trailers")),
                None => {}
            }
        };
        let section: Vec<u8> = connection.buffer.drain(..end + 4).skip(line_end).collect();
        self.trailers = parse(&section[..end - line_end])?.headers;
        self.done = true;
        Ok(None)
    }

    /// Header fields behind the last chunk, names in lower case.
    pub fn trailers(&self) -> &[(String, String)] {
        &self.trailers
    }
}

fn parse(head: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Head { start, headers })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn cut(at: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the connection ended {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn served(bytes: &'static [u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(bytes).unwrap());
        Connection::new(TcpStream::connect(address).unwrap()).unwrap()
    }

    #[test]
    fn bodies_of_every_framing_are_read() {
        for (bytes, body) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..], "abc"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "abc"),
            (b"HTTP/1.1 200 OK\r\n\r\nabc", "abc"),
        ] {
            let mut connection = served(bytes);
            let head = connection.read_head().unwrap().unwrap();
            assert_eq!((head.word(1), &connection.read_body(&head, true).unwrap()[..]), ("200", body.as_bytes()));
        }
    }

    #[test]
    fn trailers_are_read_and_belong_to_no_chunk() {
        let mut connection = served(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Why: because\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
        );
        let head = connection.read_head().unwrap().unwrap();
        let mut body = BodyReader::new(&head, true);
        assert_eq!(body.next(&mut connection).unwrap().as_deref(), Some(&b"a"[..]));
        assert_eq!(body.next(&mut connection).unwrap(), None);
        assert_eq!(body.trailers(), [("x-why".to_owned(), "because".to_owned())]);
        assert_eq!(connection.read_head().unwrap().unwrap().word(1), "204");
    }

    #[test]
    fn a_cut_body_is_an_error() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        ] {
            let mut connection = served(bytes);
            let head = connection.read_head().unwrap().unwrap();
            assert!(connection.read_body(&head, true).is_err());
        }
    }
}
