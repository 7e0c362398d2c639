//! Runs commands as steps: output goes to a log, a failing step shows it, a long one says that it lives.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::workspace;

/// How often a step that is still running says so.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// `cargo`, the one that runs this chore, at the workspace's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments);
    // Set by the `cargo run` that started this chore; a child cargo must find its own.
    command.env_remove("CARGO_MANIFEST_DIR").env("CARGO_TERM_COLOR", "never");
    command
}

/// A command at the workspace's root.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// What a command said.
pub(crate) struct Said {
    /// Standard output and standard error, in the order they came.
    pub(crate) text: String,
    /// Where it is kept.
    pub(crate) log: PathBuf,
    /// Whether it exited with 0.
    pub(crate) success: bool,
}

/// Runs `command` to its end. Its output is kept in a log named after `step` and, if `verbose`, shown when it ends.
pub(crate) fn run(step: &str, mut command: Command, verbose: bool) -> Result<Said, String> {
    let folder = workspace::scratch().join("logs");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let log = folder.join(format!("{}.log", step.replace(|c: char| !c.is_ascii_alphanumeric(), "-")));
    let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let twin = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
    let mut child = command
        .stdout(file)
        .stderr(twin)
        .spawn()
        .map_err(|error| format!("{} did not start: {error}", command.get_program().to_string_lossy()))?;

    let (ended, end) = channel::<()>();
    let name = step.to_owned();
    let heart = std::thread::spawn(move || {
        let started = Instant::now();
        while end.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
            println!("      {name}: still running after {} s", started.elapsed().as_secs());
            let _ = std::io::stdout().flush();
        }
    });
    let status = child.wait();
    drop(ended);
    let _ = heart.join();

    let status = status.map_err(|error| format!("{step}: {error}"))?;
    let text = std::fs::read(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    if verbose {
        print!("{text}");
    }
    Ok(Said { text, log, success: status.success() })
}

/// Runs a command whose answer is short and gives its standard output.
pub(crate) fn ask(mut command: Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program} did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
