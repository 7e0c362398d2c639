//! HTTP/1.1 on the wire, for both sides: chunked bodies, and the buffers that sockets are read into and written from.
//!
//! Heads are parsed by `httparse`; HTTP/2 is `hyper`'s. What is here is what a gateway does all day:
//! moving small pieces of a body from one socket to another, without a task, a channel or a buffer each.

pub(crate) mod chunked;
pub(crate) mod pieces;
pub(crate) mod scratch;
