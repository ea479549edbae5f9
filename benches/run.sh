#!/usr/bin/env bash
# All figures, printed as tables. Builds in the release profile first.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --package wasmyard-cli --package wasmyard-benches
echo "== end to end (ratios within one run; ROUNDS and ROUND_MS change its length)"
taskset -c 1 target/release/end-to-end 2>/dev/null || target/release/end-to-end
echo "== in process"
cargo bench --package wasmyard-benches
