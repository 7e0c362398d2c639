//! CPU time and memory of a process and its descendants, from /proc.
use std::collections::HashMap;

struct Stat {
    ppid: u32,
    ticks: u64,
    rss_pages: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let s = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let f: Vec<&str> = s[s.rfind(')')? + 2..].split(' ').collect();
    let n = |i: usize| f.get(i).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    Some(Stat { ppid: n(1) as u32, ticks: n(11) + n(12) + n(13) + n(14), rss_pages: n(21) })
}

pub fn tree(root: u32) -> Vec<u32> {
    let mut kids: HashMap<u32, Vec<u32>> = HashMap::new();
    for e in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = e.file_name().to_str().and_then(|n| n.parse::<u32>().ok())
            && let Some(s) = stat(pid)
        {
            kids.entry(s.ppid).or_default().push(pid);
        }
    }
    let mut out = vec![root];
    let mut i = 0;
    while i < out.len() {
        out.extend(kids.get(&out[i]).into_iter().flatten());
        i += 1;
    }
    out
}

/// User + system seconds of these processes (and of their reaped children).
pub fn cpu_s(pids: &[u32]) -> f64 {
    let ticks: u64 = pids.iter().filter_map(|p| stat(*p)).map(|s| s.ticks).sum();
    ticks as f64 / 100.0
}

/// Resident MiB, summed over the processes (pages shared between them count twice).
pub fn rss_mib(pids: &[u32]) -> f64 {
    let pages: u64 = pids.iter().filter_map(|p| stat(*p)).map(|s| s.rss_pages).sum();
    pages as f64 * 4096.0 / 1048576.0
}
