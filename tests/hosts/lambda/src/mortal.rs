//! Processes that end with this one, even when it is killed: a frozen function, or a store, would stay for good.
//!
//! Linux sends a signal when the thread that started a process ends; `setpriv` (of util-linux) asks for it and becomes the
//! program, under the same process id. So whoever starts such a process stays for as long as it is needed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command for a program that does not outlive the calling thread.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let guard = find("setpriv");
    if !guard.is_absolute() {
        return Command::new(program);
    }
    let mut command = Command::new(guard);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A program by its name, as a shell would find it; the host's own environment is the function's and may have no `PATH`.
pub(crate) fn find(name: &str) -> PathBuf {
    path().split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.exists()).unwrap_or_else(|| name.into())
}

/// Where programs are.
pub(crate) fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into())
}
