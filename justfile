# The commands for developers: `just` lists them, `just NAME` runs one (https://just.systems). Just is optional: each
# recipe can be run by hand.

msrv := `sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml`

# List the recipes
default:
    @just --list

# Compile the harness without optimization
build:
    cargo build

# Compile the harness as a user does first
release:
    cargo build --release

# Compile the small program for distribution, target/dist/harness: most of its compilation runs on one processor
dist:
    cargo build --profile dist

# Run the tests that need neither privileges nor kernels
test *arguments:
    cargo test --workspace {{arguments}}

# Run the tests in network namespaces of this kernel (root, or unprivileged user namespaces); `scripts/test-netns` where only root may
netns *filter:
    cargo test --features netns --test netns -- {{filter}}

# Run the tests in virtual time, in the kernels that `just kernels` builds
warp *filter:
    cargo test --features warp --test warp -- {{filter}}

# Run the tests in a distribution's kernel in QEMU
stock version="6.1":
    #!/usr/bin/env bash
    set -euo pipefail
    { read -r HARNESS_STOCK_KERNEL; read -r HARNESS_STOCK_MODULES; } < <(scripts/fetch-kernel {{version}})
    export HARNESS_STOCK_KERNEL HARNESS_STOCK_MODULES
    cargo test --features stock --test stock

# Fuzz the readers of scenarios, results and guests' answers
fuzz seconds="60":
    cargo test --profile fuzz --features fuzz --test fuzz -- --seconds {{seconds}}

# Run a benchmark: setup, recording, scale or boot
bench name:
    cargo bench --bench {{name}}

# Build the kernels for virtual time that are not in the user's cache
kernels:
    scripts/build-kernels

# Make docs/catalogue.md from a run of all scenarios in virtual time; with --check, compare the two
catalogue *arguments:
    cargo xtask catalogue {{arguments}}

# Make docs/reference.md and schema/scenario.schema.json from the key tables
reference:
    cargo xtask reference

# Print the JSON Schema of a scenario or of a result
schema of="scenario":
    cargo run --quiet -- schema {{of}}

# Check formatting and lints
lint:
    cargo fmt --all --check
    rustfmt --check --edition 2024 src/step/*.rs src/runner/step/*.rs
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Build the documentation of the crates; a broken link is an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Compile with the oldest supported Rust
msrv:
    cargo +{{msrv}} check --workspace --all-targets --all-features

# Check licences, duplicates and sources of the dependencies (cargo install cargo-deny)
deny:
    cargo deny check bans licenses sources

# Run all that must pass before a merge
ci:
    .ci/run
