//! Invocations that wait for a sandbox, oldest first.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::reply::Piece;

/// One request, as an event, and where its answer goes.
pub(crate) struct Invocation {
    pub(crate) event: Vec<u8>,
    pub(crate) answer: Sender<Piece>,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Invocation>,
    closed: bool,
}

impl Queue {
    /// Adds an invocation; one that comes after the end is dropped, and its answer with it.
    pub(crate) fn put(&self, invocation: Invocation) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.closed {
            state.waiting.push_back(invocation);
            self.changed.notify_one();
        }
    }

    /// Waits for one; `None` at the end.
    pub(crate) fn take(&self) -> Option<Invocation> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let mut state = self.changed.wait_while(state, empty).unwrap_or_else(PoisonError::into_inner);
        state.waiting.pop_front()
    }

    /// Lets everybody who waits go.
    pub(crate) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}
