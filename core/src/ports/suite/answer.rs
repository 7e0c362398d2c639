//! The suite over HTTP: one check a request, inside the runtime whose ports it checks.
//!
//! | request | answer |
//! |---|---|
//! | `GET /edgeway-suite` | 200, the names of the checks that apply, one a line, in the order to run them |
//! | `POST /edgeway-suite/<name>` | 200 `ok`; 500 with what was wrong; 404 for a name that does not apply |
//!
//! Two checks are answered but not listed, the halves of a kill test: `cell_reserve_and_leave`, then a kill and a restart,
//! then `cell_left_reservation_is_charged`.
//!
//! Checks share names in the stores, so whoever asks runs one at a time. A port that is `None` has no checks here, so
//! whoever asks compares the names with those that it expects of the platform: a missing port must not look like a pass.
//!
//! Invariant: the list and the dispatch are one table.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use http::{Method, Response, StatusCode};

use super::*;
use crate::body::Body;
use crate::ports::{BlobStore, CellStore, KvStore, Ports, VectorIndex, VersionedStore};

const PATH: &str = "/edgeway-suite";

/// A secret's name that a host promises not to set.
pub const ABSENT_SECRET: &str = "EDGEWAY_SUITE_ABSENT";

/// What is checked.
#[derive(Clone)]
pub struct Subject {
    /// The platform's ports.
    pub ports: Ports,
    /// The store below its cells, where those are compare-and-swap.
    pub versioned: Option<Arc<dyn VersionedStore>>,
    /// Name and value of a secret that the host has set (with a line end after the value where secrets can have one).
    pub secret: Option<(String, String)>,
}

impl Subject {
    fn kv(&self) -> Option<Arc<dyn KvStore>> {
        self.ports.kv.clone()
    }
    fn cells(&self) -> Option<Arc<dyn CellStore>> {
        self.ports.cells.clone()
    }
    fn versioned(&self) -> Option<Arc<dyn VersionedStore>> {
        self.versioned.clone()
    }
    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        self.ports.blobs.clone()
    }
    fn vectors(&self) -> Option<Arc<dyn VectorIndex>> {
        self.ports.vectors.clone()
    }
    fn events(&self) -> Option<Arc<dyn EventSink>> {
        Some(self.ports.events.clone())
    }
    fn entropy(&self) -> Option<Arc<dyn Entropy>> {
        Some(self.ports.entropy.clone())
    }
    fn clock(&self) -> Option<Arc<dyn Clock>> {
        Some(self.ports.clock.clone())
    }
}

/// Starts a check; `None` when the subject lacks a port that it needs.
type Start = fn(&Subject) -> Option<BoxFuture<'static, Check>>;

/// One row a check: its name, and the ports that it takes.
macro_rules! table {
    ($($check:ident($($port:ident),+),)+) => {
        &[$((stringify!($check), |subject| {
            $(let $port = subject.$port()?;)+
            Some(async move { $check($(&*$port),+).await }.boxed())
        })),+]
    };
}

static CHECKS: &[(&str, Start)] = table![
    clock_sleeps(clock),
    clock_sleep_cancels(clock),
    kv_round_trip(kv),
    kv_ttl(kv, clock),
    kv_list_pages(kv),
    kv_limits(kv),
    cell_serial_history(cells),
    cell_expiry(cells, clock),
    cell_failed_step_changes_nothing(cells),
    cell_pointer_one_winner(cells, entropy),
    cell_object_one_winner(cells, entropy),
    cell_directory_lists_all(cells),
    cell_chain_has_no_gaps(cells, entropy),
    cell_allowance_never_exceeds(cells, entropy),
    cell_settles_once(cells, entropy),
    cell_reservation_expires_as_charged(cells, clock, entropy),
    cell_leases_never_exceed(cells, clock, entropy),
    cell_concurrency_never_exceeds(cells, clock, entropy),
    compare_and_swap_one_winner(versioned),
    compare_and_swap_counts(versioned, clock),
    versioned_expiry(versioned, clock),
    blob_round_trip(blobs),
    blob_visible_when_whole(blobs),
    blob_ttl(blobs, clock),
    event_append(events),
    vector_nearest(vectors),
    vector_one_dimension(vectors),
];

/// The halves of kill tests: not listed, since the second means something only after the first and a restart.
static HALVES: &[(&str, Start)] = table![cell_reserve_and_leave(cells, entropy), cell_left_reservation_is_charged(cells, clock),];

/// The checks whose arguments are more than ports.
static OTHERS: &[(&str, Start)] = &[
    ("entropy_differs", |subject| Some(ready(entropy_differs(&*subject.ports.entropy)).boxed())),
    ("secret_absent_is_none", |subject| {
        let secrets = subject.ports.secrets.clone();
        Some(async move { secret_absent_is_none(&*secrets, ABSENT_SECRET).await }.boxed())
    }),
    ("secret_is_trimmed", |subject| {
        let (secrets, (name, value)) = (subject.ports.secrets.clone(), subject.secret.clone()?);
        Some(async move { secret_is_trimmed(&*secrets, &name, &value).await }.boxed())
    }),
];

/// The checks that apply to `subject`, in the order to run them.
pub fn names(subject: &Subject) -> Vec<&'static str> {
    let applies = |start: &Start| start(subject).is_some();
    CHECKS.iter().chain(OTHERS).filter(|(_, start)| applies(start)).map(|(name, _)| *name).collect()
}

/// The names of all checks there are, whatever a platform has.
pub fn all_names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().chain(OTHERS).map(|(name, _)| *name)
}

/// The secret that a host of the suite sets, as (name, value).
pub const PRESENT_SECRET: (&str, &str) = ("EDGEWAY_SUITE_SECRET", "known to the suite");

/// Answers a request to the suite (see the module); `None` when the request is not the suite's.
pub fn answer(method: &Method, path: &str, subject: &Subject) -> Option<BoxFuture<'static, Response<Body>>> {
    let rest = path.strip_prefix(PATH)?;
    let started = match rest.strip_prefix('/') {
        None if !rest.is_empty() => return None,
        None if *method == Method::GET => {
            return Some(ready(text(StatusCode::OK, names(subject).join("\n"))).boxed());
        }
        Some(name) if *method == Method::POST => {
            CHECKS.iter().chain(OTHERS).chain(HALVES).find(|row| row.0 == name).and_then(|(_, start)| start(subject))
        }
        _ => None,
    };
    Some(match started {
        Some(check) => check.map(|found| report(found.err())).boxed(),
        None => ready(text(StatusCode::NOT_FOUND, "The suite has no such check here.".into())).boxed(),
    })
}

fn report(finding: Option<String>) -> Response<Body> {
    match finding {
        None => text(StatusCode::OK, "ok".into()),
        Some(finding) => text(StatusCode::INTERNAL_SERVER_ERROR, finding),
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ports::memory::{ManualClock, MemoryCells, MemoryPorts, ScriptedHttp};
    use crate::ports::{SwapCells, Timestamp};

    /// A subject in memory, and its clock, which only [`ask`] moves.
    fn subject() -> (Arc<ManualClock>, Subject) {
        let clock = Arc::new(ManualClock::at(Timestamp(1)));
        let memory = MemoryPorts::new(clock.clone(), Arc::new(ScriptedHttp::replies(clock.clone(), [])));
        memory.secrets.set("KEY", "s3cret\n");
        let cells = Arc::new(MemoryCells::new(clock.clone(), 1 << 20));
        let ports = Ports { cells: Some(cells.clone()), ..memory.ports };
        (clock, Subject { ports, versioned: Some(cells), secret: Some(("KEY".into(), "s3cret".into())) })
    }

    fn ask(clock: &ManualClock, method: Method, path: &str, subject: &Subject) -> Option<(u16, String)> {
        let mut answer = answer(&method, path, subject)?;
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10_000 {
            if let Poll::Ready(response) = answer.poll_unpin(&mut context) {
                let (parts, body) = response.into_parts();
                let body = body.collect(1 << 16).now_or_never().expect("never waits").expect("small");
                return Some((parts.status.as_u16(), String::from_utf8_lossy(&body).into_owned()));
            }
            clock.advance(Duration::from_millis(10));
        }
        panic!("{path} takes more than 100 seconds");
    }

    #[test]
    fn every_check_that_is_listed_passes_in_memory() {
        let (clock, subject) = subject();
        let (status, list) = ask(&clock, Method::GET, "/edgeway-suite", &subject).expect("the list");
        assert_eq!((status, list.lines().collect::<Vec<_>>()), (200, names(&subject)));
        assert_eq!(list.lines().count(), CHECKS.len() + OTHERS.len());
        let mut swapping = subject.clone();
        let versioned = subject.versioned.clone().expect("it has one");
        swapping.ports.cells = Some(Arc::new(SwapCells::new(versioned, clock.clone(), subject.ports.entropy.clone())));
        for (subject, name) in [&subject, &swapping].into_iter().flat_map(|subject| list.lines().map(move |name| (subject, name)))
        {
            let answered = ask(&clock, Method::POST, &format!("/edgeway-suite/{name}"), subject);
            assert_eq!(answered, Some((200, "ok".into())), "{name}");
        }
    }

    #[test]
    fn the_halves_of_a_kill_test_belong_together() {
        let (clock, subject) = subject();
        let half = |name: &str| ask(&clock, Method::POST, &format!("/edgeway-suite/{name}"), &subject).expect("an answer");
        let (status, finding) = half("cell_left_reservation_is_charged");
        assert!(status == 500 && finding.contains("whether anything was left"), "{finding}");
        for _ in 0..2 {
            assert_eq!(half("cell_reserve_and_leave"), (200, "ok".into()));
            assert_eq!(half("cell_left_reservation_is_charged"), (200, "ok".into()));
        }
        assert!(names(&subject).iter().all(|name| !name.contains("left") && !name.contains("leave")));
    }

    #[test]
    fn a_port_that_is_missing_has_no_checks() {
        let (clock, mut subject) = subject();
        subject.ports.kv = None;
        subject.secret = None;
        let names = names(&subject);
        assert!(names.contains(&"cell_expiry") && !names.contains(&"kv_ttl") && !names.contains(&"secret_is_trimmed"));
        let answered = ask(&clock, Method::POST, "/edgeway-suite/kv_ttl", &subject);
        assert_eq!(answered.map(|(status, _)| status), Some(404));
    }

    #[test]
    fn a_finding_is_the_body_of_a_500() {
        let (clock, mut subject) = subject();
        subject.secret = Some(("KEY".into(), "another".into()));
        let (status, finding) = ask(&clock, Method::POST, "/edgeway-suite/secret_is_trimmed", &subject).expect("an answer");
        assert_eq!(status, 500);
        assert!(finding.contains("trimmed value"), "{finding}");
    }

    #[test]
    fn other_paths_are_not_the_suites() {
        let (clock, subject) = subject();
        for path in ["/", "/v1/models", "/edgeway-suite2", "/edgeway"] {
            assert_eq!(ask(&clock, Method::GET, path, &subject), None, "{path}");
        }
        for (method, path) in
            [(Method::POST, "/edgeway-suite"), (Method::GET, "/edgeway-suite/kv_ttl"), (Method::POST, "/edgeway-suite/x")]
        {
            assert_eq!(ask(&clock, method, path, &subject).map(|(status, _)| status), Some(404), "{path}");
        }
    }
}
