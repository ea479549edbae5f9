#!/bin/bash
# Runs a fuzz target with the pinned toolchain: no nightly, no cargo-fuzz, no sanitizer. What it finds is a panic, a
# failed assertion or a run without an end; the input is kept in fuzz/artifacts.
#
# Usage: fuzz.sh TARGET [SECONDS]      e.g. fuzz.sh component 120
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/../fuzz"

target=${1:?"usage: fuzz.sh TARGET [SECONDS]; targets: $(cd fuzz_targets && echo *.rs)"}
seconds=${2:-60}
# libFuzzer is led by the edges that an input reaches: every crate counts its own.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cdebug-assertions"
# With a target named, build scripts and macros are left as they are.
host=$(rustc --version --verbose | sed -n 's/^host: //p')
cargo build --locked --target-dir target --target "$host" --bin "$target"
mkdir -p "corpus/$target" "artifacts/$target"
# Programs are made of the input: 4 KiB are enough for thousands of instructions.
exec "target/$host/debug/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
  -max_len=4096 -rss_limit_mb=4096 -timeout=60 -max_total_time="$seconds"
