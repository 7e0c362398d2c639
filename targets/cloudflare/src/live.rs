//! A request under way, held where both its answer and its caller's departure can reach it.
//!
//! The runtime never drops what a caller who went away no longer reads, so this does: the answer being made, or the
//! body being sent, is dropped, which closes the exchange with the provider and settles the request.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::body::BodyStream;
use edgeway_core::error::Result;
use futures_util::future::BoxFuture;
use http::Response;

/// One request, from its start to the last piece of its answer.
#[derive(Clone)]
pub(crate) struct Live(Rc<RefCell<Stage>>);

enum Stage {
    Answering(BoxFuture<'static, Response<Body>>),
    Sending(BodyStream),
    Over,
}

impl Live {
    /// A request whose answer is being made.
    pub(crate) fn new(response: BoxFuture<'static, Response<Body>>) -> Self {
        Self(Rc::new(RefCell::new(Stage::Answering(response))))
    }

    /// A body that goes the other way, to a provider.
    pub(crate) fn sending(stream: BodyStream) -> Self {
        Self(Rc::new(RefCell::new(Stage::Sending(stream))))
    }

    /// Nothing under way: what is answered is whole.
    pub(crate) fn over() -> Self {
        Self(Rc::new(RefCell::new(Stage::Over)))
    }

    /// The answer; `None` when the caller went away before there was one.
    pub(crate) async fn answer(&self) -> Option<Response<Body>> {
        poll_fn(|context| match &mut *self.0.borrow_mut() {
            Stage::Answering(response) => response.as_mut().poll(context).map(Some),
            _ => Poll::Ready(None),
        })
        .await
    }

    /// From here on `stream` is what the caller waits for.
    pub(crate) fn send(&self, stream: BodyStream) {
        *self.0.borrow_mut() = Stage::Sending(stream);
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn next(&self) -> Option<Result<Bytes>> {
        let next = poll_fn(|context| match &mut *self.0.borrow_mut() {
            Stage::Sending(stream) => stream.as_mut().poll_next(context),
            _ => Poll::Ready(None),
        })
        .await;
        if !matches!(next, Some(Ok(_))) {
            self.end();
        }
        next
    }

    /// The caller went away, or has everything: drops what is left.
    pub(crate) fn end(&self) {
        // What is dropped may come back here; the stage is free by then.
        let left = std::mem::replace(&mut *self.0.borrow_mut(), Stage::Over);
        drop(left);
    }
}
