#!/bin/bash
# Builds the engine that runs workers written in JavaScript, and prints where it is. Nothing to do where it is newer than
# all that it is made of. With `lint` it judges the source instead.
#
# It takes a Rust that compiles to wasm32-wasip2 (wasm-toolchain.sh), zig as the C compiler (from PyPI; kept in the cache
# directory, nothing is installed) and node with npm for the Web APIs' parts that come from there.
set -euo pipefail
unset CDPATH CARGO_TARGET_DIR RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ZIG_VERSION=0.17.0
HOME_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/wasmyard/zig-$ZIG_VERSION
OUT=$PWD/target/engines
ENGINE=$OUT/js.wasm

say() { echo "js-engine: $*" >&2; }
die() { say "$1"; shift; for line in "$@"; do say "  $line"; done; exit 1; }

# The sha256 sums of ziglang's wheels are in engines/js/zig.txt: pip takes no other file.
fetch_zig() {
  [ -x "$HOME_DIR/ziglang/zig" ] && return
  python3 -m pip --version >/dev/null 2>&1 || die "python3 with pip is missing" "apt-get install python3-pip"
  mkdir -p "$(dirname "$HOME_DIR")"
  exec 9>"$HOME_DIR.lock"
  flock 9
  [ -x "$HOME_DIR/ziglang/zig" ] && return
  say "fetching zig $ZIG_VERSION, 100 MB, once"
  WORK=$(mktemp -d "$HOME_DIR.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  python3 -m pip download -q --no-deps --only-binary :all: --require-hashes -r engines/js/zig.txt -d "$WORK" >&2 ||
    die "zig could not be fetched from the package index" "can this machine reach it? is its kind listed in engines/js/zig.txt?"
  python3 -m zipfile -e "$WORK"/ziglang-*.whl "$WORK/zig"
  chmod +x "$WORK/zig/ziglang/zig"
  rm -rf "$HOME_DIR"
  mv "$WORK/zig" "$HOME_DIR"
}

is_fresh() {
  [ -e "$ENGINE" ] || return 1
  [ -z "$(find engines/js sdk/wit scripts/js-engine.sh -newer "$ENGINE" -type f \
    -not -path '*/node_modules/*' -not -path '*/target/*' -print -quit)" ]
}

# What a build, or a look, of the engine takes.
prepare() {
  mkdir -p "$OUT"
  command -v npm >/dev/null || die "npm is missing: some Web APIs come from there" "apt-get install npm, or node from its site"
  fetch_zig
  RUSTUP_TOOLCHAIN=$(scripts/wasm-toolchain.sh)
  (cd engines/js && npm ci --silent --no-audit --no-fund >&2)
  (cd engines/js && npx esbuild prelude/index.js --bundle --minify-whitespace --minify-syntax --keep-names=false --format=iife \
    --alias:abort-controller=./prelude/event-target.js --alias:process=./prelude/node/process.js \
    --global-name=prelude --target=es2024 --log-level=warning --banner:js='(() => {' --footer:js='return prelude.default; })()' \
    --outfile="$OUT/prelude.js" >&2)
  export RUSTUP_TOOLCHAIN WASMYARD_PRELUDE=$OUT/prelude.js WASMYARD_ZIG=$HOME_DIR/ziglang/zig
  # A cache directory of zig's own beside the target: nothing is left in the home directory.
  export ZIG_GLOBAL_CACHE_DIR=$OUT/zig-cache ZIG_LOCAL_CACHE_DIR=$OUT/zig-cache
  export RQUICKJS_SYS_NO_WASI_SDK=1 CC_wasm32_wasip2=$PWD/engines/js/cc AR_wasm32_wasip2=$PWD/engines/js/ar
  CFLAGS_wasm32_wasip2="-w -DWASMYARD_CHANGES=$(sha256sum <engines/js/change-quickjs.py | cut -c -8)"
  export CFLAGS_wasm32_wasip2
  export RUSTFLAGS="-Clink-arg=-zstack-size=1048576 -Clink-arg=--stack-first -Clink-arg=--initial-memory=4194304"
}

# Format and clippy of the engine's own code, in a folder of its own: what is built stays as fresh as it is.
lint() {
  cargo fmt --manifest-path engines/js/Cargo.toml --check
  prepare
  cargo clippy --locked --target wasm32-wasip2 --manifest-path engines/js/Cargo.toml --quiet -- -D warnings
}

main() {
  mkdir -p "$OUT"
  exec 8>"$OUT/.lock"
  flock 8
  if is_fresh; then echo "$ENGINE"; return; fi
  prepare
  cargo build --release --locked --target wasm32-wasip2 --manifest-path engines/js/Cargo.toml >&2
  cp engines/js/target/wasm32-wasip2/release/wasmyard_js_engine.wasm "$ENGINE.new"
  mv "$ENGINE.new" "$ENGINE"
  say "$(stat -c %s "$ENGINE") bytes  target/engines/js.wasm"
  echo "$ENGINE"
}

case ${1:-} in
  lint) lint ;;
  *) main ;;
esac
