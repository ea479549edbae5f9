#!/bin/bash
# Builds the example guests for wasm32-wasip2 and says where they are.
#
# Usage: build-guests.sh [CARGO ARGUMENT...]      e.g. build-guests.sh -p hello
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RUSTUP_TOOLCHAIN=$(scripts/wasm-toolchain.sh)
export RUSTUP_TOOLCHAIN
cd examples
# The target directory is named, because the quickstart's wasmyard.toml names the files in it.
cargo build --release --locked --target wasm32-wasip2 --target-dir target "$@"
ls -l target/wasm32-wasip2/release/*.wasm | awk '{ printf "%9d bytes  examples/%s\n", $5, $NF }'
