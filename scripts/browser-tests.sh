#!/usr/bin/env bash
# The tests that need a real browser, with one: Chromium and its driver are installed from the system's packages where
# they are missing. Without them this fails, loudly: a test that was not run must not look like one that passed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

command -v chromedriver >/dev/null 2>&1 || install_packages browser-tests chromium chromium-driver
chromium --version --no-sandbox 2>/dev/null || true

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --ignore-default-filter -E 'test(/^data::assets_serve::browser/)'
else
  cargo test --workspace --test it data::assets_serve::browser
fi
