#!/usr/bin/env bash
# Compares docs/dependencies.md with the manifests: every crate that one of them names has a line there, and
# every line names a crate that is used. And holds TLS to one provider, that is named wherever it is set up.
set -euo pipefail
cd "$(dirname "$0")/.."

# The names in the dependency tables of all manifests, without the project's own crates; and of the packages of npm that the
# JavaScript engine is made of.
used() {
  { of_cargo; of_npm; } | sort -u
}

of_npm() {
  awk '/ependencies": \{/ { inside = 1; next } /\}/ { inside = 0 } inside { gsub(/[",:]/, ""); print $1 }' engines/js/package.json
}

of_cargo() {
  git ls-files '*Cargo.toml' ':!cli/templates' | xargs awk '
    FNR == 1 { inside = 0 }
    /^\[/ { inside = $0 ~ /^\[(dev-|build-)?dependencies\]/; next }
    inside && match($0, /^[A-Za-z0-9_-]+/) { print substr($0, RSTART, RLENGTH) }
  ' | grep -v '^wasmyard'
}

# The first column of the tables.
listed() { sed -n 's/^| `\([A-Za-z0-9_-]*\)` |.*/\1/p' docs/dependencies.md | sort -u; }

if ! difference=$(diff <(listed) <(used)); then
  echo "docs/dependencies.md and the manifests differ:" >&2
  sed -n 's/^> /  used and not listed: /p; s/^< /  listed and not used: /p' <<<"$difference" >&2
  echo "say there why each crate is used, or take out its line" >&2
  exit 1
fi

# A second provider of rustls would make configurations that name none panic when they are made.
for manifest in Cargo.toml fuzz/Cargo.toml; do
  tree=$(cargo tree --locked --quiet --manifest-path "$manifest" --workspace --all-features --prefix none)
  if grep -q '^ring v' <<<"$tree"; then
    echo "$manifest: \`ring\` is in the build beside aws-lc-rs: cargo tree -e features -i ring says who asks for it" >&2
    exit 1
  fi
done
if git grep -nE '(Client|Server)Config::builder\(\)|install_default\(\)' -- '*.rs'; then
  echo "name the provider: builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))" >&2
  exit 1
fi
