#!/usr/bin/env bash
# Shows on real swap that what one guest wrote is gone for the next one (runtime/pool/examples/swap.rs). Uses the swap that
# is on, or makes a file of its own for as long as it takes, which needs root.
#
# Usage: swap-test.sh            says so and passes where there is no swap and none can be made
#        swap-test.sh --must     fails there
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

must=${1:-}
cannot() {
  echo "swap-test: DID NOT RUN: $1"
  [ "$must" != --must ] || exit 1
  exit 0
}

[ "$(uname -s)" = Linux ] || cannot "it needs Linux"
# All of the workspace's features, so that nothing is compiled twice.
cargo build --workspace --example swap
swap=target/debug/examples/swap
if [ "$(wc -l </proc/swaps)" -gt 1 ]; then
  exec "$swap"
fi

[ "$(id -u)" = 0 ] || cannot "no swap is on, and only root can turn some on"
command -v mkswap swapon swapoff >/dev/null || cannot "mkswap or swapon is missing"
file=$(mktemp "${SWAP_TEST_FOLDER:-$PWD/target}/swap.XXXXXX")
# Turned off before the file goes, however this ends.
trap 'swapoff "$file" 2>/dev/null || true; rm -f "$file"' EXIT
chmod 600 "$file"
dd if=/dev/zero of="$file" bs=1M count=128 status=none || cannot "there is no room for a swap file"
mkswap "$file" >/dev/null || cannot "mkswap failed"
swapon "$file" 2>/dev/null || cannot "swapon is not permitted here"
"$swap"
