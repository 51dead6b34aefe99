//! Links the harness of the profile `release` at a fixed address.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Each guest loads the program anew. At a variable address the loader applies up to 36,000
    // relocations and copies the pages that contain them: 5 % of the time of a case. What is
    // distributed (`dist`) keeps its variable address, as distributions ask of programs.
    let is_gnu = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu");
    if is_gnu && profile().is_some_and(|profile| profile == "release") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

/// The name of the profile: `PROFILE` has that of the inherited one. The path of the output is
/// `target/PROFILE/build/PACKAGE/out`.
fn profile() -> Option<String> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    let folder = out.ancestors().nth(3)?.file_name()?;
    Some(folder.to_string_lossy().into_owned())
}
