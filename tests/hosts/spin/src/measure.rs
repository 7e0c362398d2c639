//! What an instance costs.

use std::time::{Duration, Instant};

use crate::component::Component;

/// Instantiates so many times, one after the other, and prints the median and the 90th percentile in microseconds.
pub(crate) async fn run(component: &Component, rounds: usize) -> anyhow::Result<()> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        let instance = component.instantiate(true).await?;
        times.push(start.elapsed());
        drop(instance);
    }
    times.sort_unstable();
    let micros = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6);
    let (median, most) = (micros(times.get(rounds / 2)), micros(times.get(rounds * 9 / 10)));
    println!("{{\"instantiations\":{rounds},\"median_us\":{median:.1},\"p90_us\":{most:.1}}}");
    Ok(())
}
