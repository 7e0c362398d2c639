//! One read buffer a thread, instead of one a connection.
//!
//! Most connections of a gateway wait. Bytes are read into the thread's buffer, and what is kept is copied
//! out in its exact size, so a connection that waits holds no buffer.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Most bytes of one read.
pub(crate) const SIZE: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into_boxed_slice());
}

/// Reads once, at most `limit` bytes, and hands them to `then`. No bytes means that the peer has closed.
/// `then` must not read itself: the buffer is taken.
pub(crate) fn poll_read<R, T>(
    io: &mut R,
    cx: &mut Context<'_>,
    limit: usize,
    then: impl FnOnce(&mut [u8]) -> T,
) -> Poll<io::Result<T>>
where
    R: AsyncRead + Unpin,
{
    BUFFER.with_borrow_mut(|buffer| {
        let length = {
            let mut spare = ReadBuf::new(&mut buffer[..limit.min(SIZE)]);
            ready!(Pin::new(io).poll_read(cx, &mut spare))?;
            spare.filled().len()
        };
        Poll::Ready(Ok(then(&mut buffer[..length])))
    })
}
