#!/usr/bin/env bash
# All figures, printed as tables and written to target/bench. Builds the profile that is shipped first.
#
# Usage: run.sh [--quick] [ARGUMENT OF end-to-end...]      e.g. run.sh --only latency
# PROFILE=dev measures the development profile, to try the benches out: such figures mean nothing.
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${PROFILE:-dist}
cargo build --profile "$profile" --package wasmyard-cli --package wasmyard-benches --bins
binaries=target/$([ "$profile" = dev ] && echo debug || echo "$profile")
exec "$binaries/end-to-end" "$@"
