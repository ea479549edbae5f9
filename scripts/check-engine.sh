#!/bin/sh
# Says when a newer patch of the pinned line of Wasmtime exists. The engine is pinned to one exact patch, so no update of
# the lock file brings a fix: somebody has to hear of it. Where nobody can be asked (no network) it says so and succeeds.
#
#   scripts/check-engine.sh            say it, and succeed
#   scripts/check-engine.sh --strict   fail where there is a newer one
set -eu
cd "$(dirname "$0")/.."

pinned=$(sed -n 's/^wasmtime = .*"=\([0-9][0-9.]*\)".*/\1/p' Cargo.toml)
if [ -z "$pinned" ]; then
    echo "Cargo.toml does not pin wasmtime to one patch (= \"=X.Y.Z\")" >&2
    exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/src"
: > "$scratch/src/lib.rs"
cat > "$scratch/Cargo.toml" <<END
[package]
name = "newest"
version = "0.0.0"
edition = "2021"
[dependencies]
wasmtime = { version = "~${pinned%.*}", default-features = false }
[workspace]
END

if ! (cd "$scratch" && timeout 60 cargo generate-lockfile) > /dev/null 2>&1; then
    echo "engine: no registry could be asked whether there is a patch after wasmtime $pinned; not checked"
    exit 0
fi
newest=$(sed -n '/^name = "wasmtime"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$scratch/Cargo.lock")
if [ "$newest" = "$pinned" ]; then
    echo "engine: wasmtime $pinned is the newest patch of its line"
    exit 0
fi
echo "engine: wasmtime $newest exists and $pinned is pinned; read what it mends, raise it in Cargo.toml, and run all tests" >&2
[ "${1:-}" != --strict ]
