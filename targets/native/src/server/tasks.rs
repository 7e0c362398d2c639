//! Work that outlives its request: settlements. Counted, so that a drain can wait for it.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Release);
    }
}

/// Spawns a settlement on this worker.
pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    UNDER_WAY.fetch_add(1, Ordering::Acquire);
    let counted = Counted;
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(async move {
            let _counted = counted;
            work.await;
        })),
        // Only a body that is dropped outside its worker gets here, when the worker is gone.
        Err(_) => drop(work),
    }
}

/// Settlements that have not ended.
pub(super) fn under_way() -> usize {
    UNDER_WAY.load(Ordering::Acquire)
}
