#!/usr/bin/env bash
# Gets what Wasmyard is measured beside, into target/bench. What is there already stays.
#
# Usage: peers.sh [wasmtime] [workerd] [js]      all of them without an argument
# `wrk` is the system's: apt-get install wrk
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bench=$PWD/target/bench
mkdir -p "$bench"

WASMTIME_VERSION=48.0.8
WORKERD_VERSION=1.20261117.1
COMPONENTIZE_VERSION=0.23.0
# The version of WASI that this componentize-js builds for; the platform takes every 0.2.
COMPONENTIZE_WASI=0.2.10

get_wasmtime() {
  [ -x "$bench/wasmtime/bin/wasmtime" ] && return
  cargo install wasmtime-cli --version "$WASMTIME_VERSION" --locked --root "$bench/wasmtime"
}

get_workerd() {
  [ -x "$bench/npm/node_modules/.bin/workerd" ] && return
  npm install --no-audit --no-fund --prefix "$bench/npm" "workerd@$WORKERD_VERSION"
}

# A greeting in JavaScript, with the engine that runs it: about 12 MB.
get_js() {
  [ -f "$bench/js/hello_js.wasm" ] && return
  mkdir -p "$bench/js/wit"
  npm install --no-audit --no-fund --prefix "$bench/js" "@bytecodealliance/componentize-js@$COMPONENTIZE_VERSION"
  rm -rf "$bench/js/wit/deps"
  cp -r sdk/wit/deps "$bench/js/wit/"
  ours=$(sed -n 's/^package wasi:http@\(.*\);/\1/p' sdk/wit/deps/http.wit)
  sed -i "s/${ours//./\\.}/$COMPONENTIZE_WASI/g" "$bench"/js/wit/deps/*.wit
  printf 'package bench:js;\nworld hello { include wasi:http/proxy@%s; }\n' "$COMPONENTIZE_WASI" > "$bench/js/wit/world.wit"
  cat > "$bench/js/build.mjs" <<'JS'
import { componentize } from '@bytecodealliance/componentize-js';
import { rename, writeFile } from 'node:fs/promises';

const source = `addEventListener('fetch', (event) => event.respondWith(new Response('Hello from Wasmyard!\\n')));`;
const { component } = await componentize(source, { witPath: 'wit', worldName: 'hello' });
await writeFile('new.wasm', component);
await rename('new.wasm', 'hello_js.wasm');
JS
  (cd "$bench/js" && node build.mjs)
}

for peer in "${@:-wasmtime workerd js}"; do
  for name in $peer; do
    "get_$name"
    echo "$name: there"
  done
done
command -v wrk >/dev/null || echo "wrk: missing; apt-get install wrk"
