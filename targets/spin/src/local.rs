//! Futures of the component model as core wants them.
//!
//! Core asks for `Send` futures and streams everywhere; the component model's are tied to their instance, which has
//! one thread. Invariant: this crate is built for `wasm32-wasip2` only, where no second thread can exist.
#![allow(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

/// Something of this instance's only thread.
pub(crate) struct Local<T>(T);

// SAFETY: there is one thread (see the module), so nothing is ever sent anywhere.
unsafe impl<T> Send for Local<T> {}
// SAFETY: likewise, nothing is ever looked at from two places at once.
unsafe impl<T> Sync for Local<T> {}

impl<F: Future> Local<Pin<Box<F>>> {
    /// A future that core may hold.
    pub(crate) fn future(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<S: Stream> Local<Pin<Box<S>>> {
    /// A stream that core may hold.
    pub(crate) fn stream(stream: S) -> Self {
        Self(Box::pin(stream))
    }
}

impl<F: Future> Future for Local<Pin<Box<F>>> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<S: Stream> Stream for Local<Pin<Box<S>>> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}
