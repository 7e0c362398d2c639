//! The official SDKs as clients: their environments, pinned, and their tests.

use std::path::PathBuf;

use crate::report::{Broken, Report};
use crate::run::{cargo, command};
use crate::{install, tally, workspace};

/// Installs the pinned SDKs and runs their tests against a real gateway.
pub(crate) fn steps(report: &mut Report) -> Result<(), Broken> {
    report.check("interpreters", install::interpreters)?;
    report.command("build edgeway", cargo(&["build", "--package", "edgeway", "--quiet"]))?;
    let root = workspace::root().join("tests/sdk");
    python(report, root.join("python"))?;
    node(report, root.join("node"))
}

fn python(report: &mut Report, folder: PathBuf) -> Result<(), Broken> {
    // A virtual environment holds absolute paths, so it lives in this checkout's target folder.
    let home = workspace::scratch().join("python");
    let bin = home.join("bin/python");
    let pinned = folder.join("requirements.txt");
    let installed = home.join("requirements.txt");
    let same = matches!((std::fs::read(&pinned), std::fs::read(&installed)), (Ok(a), Ok(b)) if a == b);
    if !same {
        report.command("python environment", command("python3", &["-m", "venv", "--clear", &home.to_string_lossy()]))?;
        let arguments = ["-m", "pip", "install", "--quiet", "--requirement", &pinned.to_string_lossy()];
        report.command("python SDKs", command(&bin.to_string_lossy(), &arguments))?;
        report.check("python SDKs are pinned", || {
            std::fs::copy(&pinned, &installed).map(|_| String::new()).map_err(|error| error.to_string())
        })?;
    }
    let mut pytest = command(&bin.to_string_lossy(), &["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    pytest.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    report.tests("python SDKs as clients", pytest, tally::pytest)
}

fn node(report: &mut Report, folder: PathBuf) -> Result<(), Broken> {
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.edgeway-lock.json");
    let same = matches!((std::fs::read(&lock), std::fs::read(&installed)), (Ok(a), Ok(b)) if a == b);
    if !same {
        let mut install = command("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        install.current_dir(&folder);
        report.command("node SDKs", install)?;
        report.check("node SDKs are pinned", || {
            std::fs::copy(&lock, &installed).map(|_| String::new()).map_err(|error| error.to_string())
        })?;
    }
    let mut test = command("npm", &["test", "--silent"]);
    test.current_dir(folder);
    report.tests("node SDKs as clients", test, tally::node)
}
