#!/usr/bin/env bash
# Builds the binary for production: the profile `dist`, guided by what an instrumented build of the same sources did
# while every chain of scripts was asked. Writes target/shipped/wasmyard.
#
# Usage: dist.sh
# Needs the guests (scripts/build-guests.sh) and LLVM's tools of the compiler that builds (rustup component add llvm-tools).
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
profdata=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
[ -x "$profdata" ] || {
  echo "llvm-profdata of $(rustc --version) is missing: rustup component add llvm-tools" >&2
  exit 2
}
shipped=$PWD/target/shipped
rm -rf "$shipped/raw"
mkdir -p "$shipped"

# Builds with the given flags of the compiler into the given folder. The target is named, so that what only runs while
# building is left as it is.
build() {
  RUSTFLAGS="${RUSTFLAGS:-} $1" cargo build --profile dist --package wasmyard-cli --bin wasmyard \
    --target "$host" --target-dir "$2"
}

build "-Cprofile-generate=$shipped/raw" "$shipped/instrumented"
cargo build --workspace --bins
WASMYARD="$shipped/instrumented/$host/dist/wasmyard" target/debug/end-to-end train 5
# cargo knows the flags and not the file: the name says what is in it.
"$profdata" merge -o "$shipped/merged" "$shipped/raw"
profile="$shipped/$(sha256sum "$shipped/merged" | cut -c1-16).profdata"
mv "$shipped/merged" "$profile"

build "-Cprofile-use=$profile" "$shipped/guided"
cp "$shipped/guided/$host/dist/wasmyard" "$shipped/wasmyard"
ls -l "$shipped/wasmyard"
