#!/usr/bin/env bash
# The tests with an authority of certificates: Pebble is installed from the system's packages where it is missing. Without it this
# fails: a test that was not run must not look like one that passed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v pebble >/dev/null 2>&1; then
  echo "acme-tests: installing pebble" >&2
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  if ! { "${as_root[@]}" apt-get update -q && "${as_root[@]}" apt-get install -q -y --no-install-recommends pebble; } >&2; then
    echo "acme-tests: FAILED: pebble could not be installed; install it by hand and run this again." >&2
    exit 1
  fi
fi

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --ignore-default-filter -E 'test(/^data::acme/)'
else
  cargo test --workspace --test it data::acme
fi
