#!/usr/bin/env bash
# Everything about the source that a machine can judge. Fails at the first finding.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

say "formatting"
cargo fmt --all --check
cargo fmt --manifest-path sdk/rust/Cargo.toml --all --check
cargo fmt --manifest-path examples/Cargo.toml --all --check

say "clippy"
cargo clippy --workspace --all-targets --quiet -- -D warnings
cargo clippy --manifest-path sdk/rust/Cargo.toml --workspace --all-targets --all-features --quiet -- -D warnings
cargo clippy --manifest-path examples/Cargo.toml --all-targets --quiet -- -D warnings

say "the JavaScript engine"
scripts/js-engine.sh lint

say "fuzz targets"
# Compiled and not linked, so that no C++ compiler is needed.
CUSTOM_LIBFUZZER_PATH=none/fuzzer.a \
  cargo check --manifest-path fuzz/Cargo.toml --locked --bins --quiet --target-dir target

say "documentation"
# Links to private items are right where private items are documented.
RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --quiet
RUSTDOCFLAGS="-D warnings" \
  cargo doc --manifest-path sdk/rust/Cargo.toml --workspace --all-features --no-deps --quiet

say "dependencies have their reasons"
scripts/check-dependencies.sh

say "the engine's patch"
scripts/check-engine.sh

say "licences, sources and duplicates"
if ! cargo deny --version >/dev/null 2>&1; then
  cargo install --locked --quiet cargo-deny --version 0.20.2
fi
# The advisory database lives outside the package registries; `cargo deny check` without arguments reads it, too.
cargo deny --all-features check licenses bans sources

say "lint: ok"
