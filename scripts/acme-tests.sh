#!/usr/bin/env bash
# The tests with an authority of certificates: Pebble is installed from the system's packages where it is missing. Without it this
# fails: a test that was not run must not look like one that passed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

command -v pebble >/dev/null 2>&1 || install_packages acme-tests pebble

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --ignore-default-filter -E 'test(/^data::acme/)'
else
  cargo test --workspace --test it data::acme
fi
