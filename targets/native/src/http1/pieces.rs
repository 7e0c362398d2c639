//! Output on its way to a socket: a head or a chunk's framing, and bytes that are never copied.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Most bytes of a body that are copied rather than written from where they are.
const SMALL: usize = 4096;

/// What is to be written next: `head`, then `body`, then `tail`.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// A message's head, or a chunk's size. Reused.
    pub(crate) head: Vec<u8>,
    written: usize,
    body: Bytes,
    tail: &'static [u8],
}

impl Pieces {
    /// Adds a body as it is. A small one is copied behind the head: one slice is written faster than two.
    pub(crate) fn body(&mut self, body: Bytes) {
        debug_assert!(self.body.is_empty() && self.tail.is_empty(), "one body at a time");
        if body.len() <= SMALL {
            self.head.extend_from_slice(&body);
        } else {
            self.body = body;
        }
    }

    /// Adds a piece of a chunked body; not an empty one, which would be the end.
    pub(crate) fn chunk(&mut self, piece: Bytes) {
        debug_assert!(!piece.is_empty(), "an empty chunk ends a body");
        let mut size = [0; 16];
        let mut at = size.len();
        let mut left = piece.len();
        while left > 0 {
            at -= 1;
            size[at] = b"0123456789abcdef"[left & 15];
            left >>= 4;
        }
        self.head.extend_from_slice(&size[at..]);
        self.head.extend_from_slice(b"\r\n");
        self.body(piece);
        match self.body.is_empty() {
            true => self.head.extend_from_slice(b"\r\n"),
            false => self.tail = b"\r\n",
        }
    }

    /// Ends a chunked body.
    pub(crate) fn last_chunk(&mut self) {
        match self.tail {
            b"" if self.body.is_empty() => self.head.extend_from_slice(b"0\r\n\r\n"),
            b"\n" => self.tail = b"\n0\r\n\r\n", // half of the last chunk's end is already written
            _ => self.tail = b"\r\n0\r\n\r\n",
        }
    }

    /// Whether nothing is left to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.head.len() && self.body.is_empty() && self.tail.is_empty()
    }

    /// Whether nothing has been written yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.written == 0
    }

    /// Writes all of it.
    pub(crate) fn poll_write<W: AsyncWrite + Unpin>(&mut self, io: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let head = &self.head[self.written..];
            let written = if self.body.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, head))?
            } else {
                let slices = [IoSlice::new(head), IoSlice::new(&self.body), IoSlice::new(self.tail)];
                // An empty slice in front would make a stream without vectored writes write nothing.
                let skip = usize::from(head.is_empty()) + usize::from(head.is_empty() && self.body.is_empty());
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices[skip..]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.head.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let head = written.min(self.head.len() - self.written);
        self.written += head;
        let body = (written - head).min(self.body.len());
        self.body.advance(body);
        self.tail = &self.tail[written - head - body..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most so many bytes a call, in one slice or several.
    struct Narrow {
        most: usize,
        vectored: bool,
        got: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.most);
            self.got.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            if !self.vectored {
                return self.poll_write(cx, &slices[0]);
            }
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).take(self.most).collect();
            self.got.extend_from_slice(&all);
            Poll::Ready(Ok(all.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    const LARGE: [u8; 5000] = [b'L'; 5000];

    fn written(most: usize, vectored: bool) -> Vec<u8> {
        let mut io = Narrow { most, vectored, got: Vec::new() };
        let mut pieces = Pieces::default();
        let mut write = |pieces: &mut Pieces| {
            assert!(!pieces.is_empty());
            assert!(pieces.poll_write(&mut io, &mut Context::from_waker(std::task::Waker::noop())).is_ready());
            assert!(pieces.is_empty() && pieces.is_untouched());
        };
        pieces.head.extend_from_slice(b"HEAD\r\n");
        pieces.chunk(Bytes::from_static(b"0123456789abcdefg"));
        pieces.chunk(Bytes::from_static(b"x"));
        pieces.last_chunk();
        write(&mut pieces);
        pieces.chunk(Bytes::from_static(&LARGE));
        pieces.last_chunk();
        write(&mut pieces);
        pieces.last_chunk();
        write(&mut pieces);
        io.got
    }

    #[test]
    fn every_byte_is_written_once_however_little_a_socket_takes() {
        let small = &b"HEAD\r\n11\r\n0123456789abcdefg\r\n1\r\nx\r\n0\r\n\r\n"[..];
        let expected = [small, b"1388\r\n", &LARGE, b"\r\n0\r\n\r\n0\r\n\r\n"].concat();
        for most in (1..40).chain([4999, 5000, 5001, 5010, 9000]) {
            for vectored in [true, false] {
                assert_eq!(written(most, vectored), expected, "{most} at a time");
            }
        }
    }
}
