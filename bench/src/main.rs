//! gwbench: a mock LLM upstream, a load generator and a report, all on loopback.
mod args;
mod load;
mod mock;
mod procfs;
mod report;

const USAGE: &str = "usage: gwbench mock|load|report|prio [--key value ...]   (see README.md)";

fn main() {
    let mut argv = std::env::args().skip(1);
    let cmd = argv.next().unwrap_or_default();
    let args = args::Args::parse(argv);
    match cmd.as_str() {
        "mock" => mock::run(args),
        "load" => load::run(args),
        "report" => report::run(args),
        "prio" => prio(&args),
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}

/// CLOCK_MONOTONIC in nanoseconds: one clock for every process of the machine, so a
/// timestamp the mock writes into a chunk can be compared with the reader's own.
pub fn now_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid, writable timespec for the duration of the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// Raises the open-file limit to the hard limit; ten thousand streams need it.
pub fn raise_nofile() {
    // SAFETY: plain getrlimit/setrlimit calls on a local struct.
    unsafe {
        let mut lim = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut lim) == 0 {
            lim.rlim_cur = lim.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &lim);
        }
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio runtime")
}

/// Gives a process, and what it starts from then on, a nice value and a short scheduler
/// slice: on a machine with other work a short slice is what makes a woken task run at once.
fn prio(args: &args::Args) {
    #[repr(C)]
    struct SchedAttr {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline: u64,
        period: u64,
    }
    let slice_us: u64 = args.num("slice-us", 100);
    let a = SchedAttr {
        size: 48,
        policy: 0,
        flags: 0,
        nice: args.num("nice", 0),
        priority: 0,
        runtime_ns: slice_us * 1000,
        deadline: 0,
        period: 0,
    };
    let pid: libc::pid_t = args.num("pid", 0);
    // SAFETY: `a` has the kernel's sched_attr layout (48 bytes) and outlives the call.
    let r = unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &a as *const SchedAttr, 0) };
    if r != 0 {
        eprintln!("prio: {}", std::io::Error::last_os_error());
        std::process::exit(1);
    }
}
