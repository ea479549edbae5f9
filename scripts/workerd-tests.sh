#!/usr/bin/env bash
# What tests/it/data/javascript/web/workerd.json keeps of workerd's answers, asked of workerd itself. It comes from npm, one
# version of it, below target/. Without it this fails: a test that was not run must not look like one that passed.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=1.20261117.1
FOLDER=$PWD/target/workerd-$VERSION

if [ ! -x "$FOLDER/node_modules/.bin/workerd" ]; then
  command -v npm >/dev/null || { echo "workerd-tests: npm is missing" >&2; exit 1; }
  npm install --silent --no-audit --no-fund --prefix "$FOLDER" "workerd@$VERSION"
fi
export WORKERD=$FOLDER/node_modules/.bin/workerd

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --ignore-default-filter -E 'test(/^data::javascript::web::workerd/)'
else
  cargo test --workspace --test it data::javascript::web::workerd
fi
