#!/usr/bin/env bash
# Compares docs/dependencies.md with the manifests: every crate that one of them names has a line there, and
# every line names a crate that is used.
set -euo pipefail
cd "$(dirname "$0")/.."

# The names in the dependency tables of all manifests, without the project's own crates.
used() {
  git ls-files '*Cargo.toml' ':!cli/templates' | xargs awk '
    FNR == 1 { inside = 0 }
    /^\[/ { inside = $0 ~ /^\[(dev-|build-)?dependencies\]/; next }
    inside && match($0, /^[A-Za-z0-9_-]+/) { print substr($0, RSTART, RLENGTH) }
  ' | grep -v '^wasmyard' | sort -u
}

# The first column of the tables.
listed() { sed -n 's/^| `\([A-Za-z0-9_-]*\)` |.*/\1/p' docs/dependencies.md | sort -u; }

if ! difference=$(diff <(listed) <(used)); then
  echo "docs/dependencies.md and the manifests differ:" >&2
  sed -n 's/^> /  used and not listed: /p; s/^< /  listed and not used: /p' <<<"$difference" >&2
  echo "say there why each crate is used, or take out its line" >&2
  exit 1
fi
