#!/usr/bin/env bash
# The tests that need a real browser, with one: Chromium and its driver are installed from the system's packages where
# they are missing. Without them this fails, loudly: a test that was not run must not look like one that passed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v chromedriver >/dev/null 2>&1; then
  echo "browser-tests: chromedriver is not installed; installing chromium and chromium-driver" >&2
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  if ! { "${as_root[@]}" apt-get update -q && "${as_root[@]}" apt-get install -q -y --no-install-recommends chromium chromium-driver; } >&2; then
    echo "browser-tests: FAILED: there is no browser, and none could be installed." >&2
    echo "browser-tests: install chromium and chromium-driver by hand and run this again." >&2
    exit 1
  fi
fi
chromium --version --no-sandbox 2>/dev/null || true

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --ignore-default-filter -E 'test(/^data::assets_serve::browser/)'
else
  cargo test --workspace --test it data::assets_serve::browser
fi
