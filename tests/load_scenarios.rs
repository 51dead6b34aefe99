//! Loading scenarios from files and directories: the files that are found, their order, and the
//! errors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use deadpeer::scenario::{LoadError, load};
use tempfile::TempDir;

const GOOD: &str = r#"
summary = "The server crashes"
topology = { preset = "direct", family = "ipv4" }
step = [{ do = "crash", host = "server" }]
expect.client = { error = "ETIMEDOUT" }
"#;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

/// The errors as they are printed, with `DIR` in place of the temporary directory.
fn explained(folder: &Path, paths: &[PathBuf]) -> String {
    let errors = load(paths).expect_err("everything is accepted");
    let rendered = errors.render(false);
    rendered.replace(folder.to_str().unwrap(), "DIR")
}

fn ids(paths: &[PathBuf]) -> Vec<String> {
    let scenarios = load(paths).unwrap();
    let cases = scenarios.iter().flat_map(|scenario| &scenario.cases);
    cases.map(|case| case.id.to_string()).collect()
}

#[test]
fn a_folder_gives_every_toml_file_below_it_in_order() {
    let good = GOOD.as_bytes();
    let folder = folder(&[
        ("b.toml", good),
        ("a/z.toml", good),
        ("a/b/y.toml", good),
        ("notes.md", b"no scenario"),
    ]);
    let paths = [folder.path().to_owned()];
    assert_eq!(ids(&paths), ["y/ipv4", "z/ipv4", "b/ipv4"]);
}

#[test]
fn a_file_given_twice_is_loaded_once() {
    let folder = folder(&[("a.toml", GOOD.as_bytes())]);
    let file = folder.path().join("a.toml");
    let detour = folder.path().join(".").join("a.toml");
    let paths = [file, folder.path().to_owned(), detour];
    assert_eq!(ids(&paths), ["a/ipv4"]);
}

#[test]
fn a_file_that_is_named_needs_no_extension() {
    let folder = folder(&[("scenario", GOOD.as_bytes())]);
    assert_eq!(ids(&[folder.path().join("scenario")]), ["scenario/ipv4"]);
}

#[test]
fn a_loop_of_links_between_folders_ends() {
    let folder = folder(&[("a/a.toml", GOOD.as_bytes())]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
    assert_eq!(ids(&[folder.path().to_owned()]), ["a/ipv4"]);
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let folder = folder(&[]);
    let text = explained(folder.path(), &[folder.path().join("gone.toml")]);
    assert_eq!(text, "error: DIR/gone.toml does not exist");
}

#[test]
fn a_folder_without_a_scenario_is_named() {
    let folder = folder(&[("notes.md", b"")]);
    let text = explained(folder.path(), &[folder.path().to_owned()]);
    let expected = "error: DIR has no scenario: no file in it or below it ends in .toml";
    assert_eq!(text, expected);
}

#[test]
fn a_file_that_is_not_utf8_has_its_first_wrong_byte_named() {
    let folder = folder(&[("a.toml", b"summary = 1\nsource = \"caf\xe9\"\n")]);
    let text = explained(folder.path(), &[folder.path().to_owned()]);
    let expected =
        "error: DIR/a.toml is not UTF-8: line 2 has the byte 0xe9 at offset 25; save it as UTF-8";
    assert_eq!(text, expected);
}

#[test]
fn two_files_with_the_same_case_are_both_named() {
    let folder = folder(&[("a/x.toml", GOOD.as_bytes()), ("b/x.toml", GOOD.as_bytes())]);
    let text = explained(folder.path(), &[folder.path().to_owned()]);
    let expected = "error: DIR/a/x.toml and DIR/b/x.toml both have a case x/ipv4: \
                    a case is named after its file, so rename one of them";
    assert_eq!(text, expected);
}

#[test]
fn two_files_of_one_name_with_different_cases_are_fine() {
    let other = GOOD.replace("ipv4", "ipv6");
    let folder = folder(&[
        ("a/x.toml", GOOD.as_bytes()),
        ("b/x.toml", other.as_bytes()),
    ]);
    assert_eq!(ids(&[folder.path().to_owned()]), ["x/ipv4", "x/ipv6"]);
}

#[test]
fn the_errors_of_all_files_come_together() {
    let folder = folder(&[
        ("a.toml", b""),
        ("b.toml", b"\xff"),
        ("c.toml", b"summary = 3"),
        ("d.toml", GOOD.as_bytes()),
    ]);
    let errors = load(&[folder.path().join("gone"), folder.path().to_owned()]).unwrap_err();
    assert!(
        matches!(
            errors.0.as_slice(),
            [
                LoadError::Missing { .. },
                LoadError::Invalid(_),
                LoadError::NotUtf8 { .. },
                LoadError::Invalid(_)
            ]
        ),
        "{errors:?}"
    );
}
