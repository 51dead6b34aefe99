//! Developer tooling: `cargo xtask COMMAND`.
//!
//! * `catalogue`: makes `docs/catalogue.md` from a run of the shipped scenarios
//! * `catalogue --check`: fails if `docs/catalogue.md` differs from such a run
//! * `reference`: makes `docs/reference.md` and `schema/scenario.schema.json` from the key tables

mod catalogue;
mod compare;
mod row;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use deadpeer::record::Record;
use deadpeer::reference;
use deadpeer::scenario::LoadErrors;
use deadpeer::shipped;
use tempfile::NamedTempFile;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "error: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let path = root().join("docs/catalogue.md");
    match arguments.as_slice() {
        ["catalogue"] => {
            // The page is complete before the file changes.
            let page = catalogue_of_a_run()?;
            write("docs/catalogue.md", &page)
        }
        ["catalogue", "--check"] => {
            let page = fs::read_to_string(&path);
            let page = page.with_context(|| format!("cannot read {}", path.display()))?;
            let stale = compare::difference(&page, &catalogue_of_a_run()?, &["after"]);
            stale.map_or(Ok(()), |stale| bail!("{}: {stale}", path.display()))
        }
        ["reference"] => {
            write("docs/reference.md", &reference::markdown())?;
            write("schema/scenario.schema.json", &reference::schema())
        }
        _ => bail!("usage: cargo xtask catalogue [--check] | reference"),
    }
}

/// Writes a file of the repository.
fn write(path: &str, text: &str) -> anyhow::Result<()> {
    let path = root().join(path);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs all shipped scenarios in virtual time, which needs a kernel of `harness kernel build`, and
/// makes the catalogue from the result.
fn catalogue_of_a_run() -> anyhow::Result<String> {
    let file = NamedTempFile::new().context("cannot create a temporary file")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let harness = Command::new(cargo)
        .current_dir(root())
        .args(["run", "--quiet", "--package", "deadpeer", "--"])
        .args(["run", "--warp", "--quiet", "--report-json"])
        .arg(file.path())
        .arg("scenarios/")
        .status()
        .context("cannot start cargo")?;
    ensure!(harness.success(), "not all scenarios passed");
    let record = Record::read(&fs::read_to_string(file.path())?)?;
    let [run] = record.kernels.as_slice() else {
        bail!("the result is not of one kernel");
    };
    let (scenarios, errors) = shipped::scenarios();
    ensure!(errors.is_empty(), LoadErrors(errors).render(false));
    Ok(catalogue::page(&scenarios, Some(run)))
}
