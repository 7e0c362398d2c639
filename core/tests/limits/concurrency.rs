//! Many callers at once, on several instances: the figures that limits promise.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;

use crate::world::{Answered, FORGETFUL, World, chat, completion, count, finish, hi, world};

const SECOND: Duration = Duration::from_secs(1);

/// So many callers at once, spread over the instances.
fn at_once(world: &World, callers: usize) -> Vec<Answered> {
    let instances = world.instances.len();
    finish(join_all((0..callers).map(|caller| world.send(caller % instances, chat("alice", &hi())))))
}

#[test]
fn a_strict_limit_is_never_over_with_a_hundred_callers_on_four_instances() {
    for limit in [111, 100, 50, 10] {
        let limits = format!("[limits.all]\nrequests = \"{limit}/minute\"");
        let world = world(4, &limits, |_| completion(3, 2));
        for _ in 0..5 {
            let all = at_once(&world, 100);
            let granted = count(&all, StatusCode::OK);
            assert_eq!(granted, limit.min(100), "of {limit}");
            assert_eq!(granted + count(&all, StatusCode::TOO_MANY_REQUESTS), 100);
            world.later(SECOND * 63);
        }
        assert_eq!(world.records().len(), 500, "each request leaves one record");
    }
}

#[test]
fn answers_that_are_lost_never_let_more_in() {
    let limits = "[limits.all]\nrequests = \"20/minute\"\nwhen_away = \"closed\"\nconcurrency = 1000";
    let world = world(4, limits, |_| completion(3, 2));
    world.set_mood(FORGETFUL);
    let instances = world.instances.len();
    let responses = (0..100).map(|caller| world.handle(caller % instances, chat("alice", &hi())).response);
    let all = finish(join_all(responses));
    let granted = all.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert!((1..=20).contains(&granted), "{granted}");
}
