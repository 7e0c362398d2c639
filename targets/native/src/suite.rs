//! The port suites over HTTP, in front of a gateway. Only in builds with the feature `suite`, which are never shipped.

use edgeway_core::Handled;
use edgeway_core::exchange::{Inbound, Refused};
use edgeway_core::ports::Ports;
use edgeway_core::ports::suite::{self, PRESENT_SECRET, Subject};
use futures_util::future::ready;

use crate::server::{Handle, Served};
use crate::store::Stores;

/// A gateway whose ports can be checked.
pub(crate) struct Examined {
    pub(crate) served: Served,
    pub(crate) subject: Subject,
}

/// What is checked: the ports of a gateway, and the store below its cells.
pub(crate) fn subject(ports: &Ports, stores: &Stores) -> Subject {
    let (name, value) = PRESENT_SECRET;
    let secret = Some((name.to_owned(), value.to_owned()));
    Subject { ports: ports.clone(), versioned: Some(stores.versioned.clone()), secret }
}

impl Handle for Examined {
    fn handle(&self, inbound: Inbound) -> Handled {
        let (method, path) = (inbound.request.method(), inbound.request.uri().path());
        match suite::answer(method, path, &self.subject) {
            Some(response) => Handled { response, after: Box::pin(ready(())) },
            None => self.served.handle(inbound),
        }
    }

    fn refuse(&self, refused: Refused) -> Handled {
        self.served.refuse(refused)
    }
}
