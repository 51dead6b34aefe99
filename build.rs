//! Links the harness at a fixed address.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Each guest loads the program anew. At a variable address the loader applies up to 36,000
    // relocations and copies the pages that contain them: 5 % of the time of a case with the
    // profile `release`.
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
