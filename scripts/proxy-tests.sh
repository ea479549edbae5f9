#!/usr/bin/env bash
# The tests behind real proxies, with the lines of docs/behind-a-proxy.md: nginx and Caddy are installed from the system's
# packages where they are missing. Without them this fails: a test that was not run must not look like one that passed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

missing=()
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
command -v caddy >/dev/null 2>&1 || missing+=(caddy)
[ "${#missing[@]}" = 0 ] || install_packages proxy-tests "${missing[@]}"
PATH="$PATH:/usr/sbin"
export PATH

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --ignore-default-filter -E 'test(/^data::proxies::real/)'
else
  cargo test --workspace --test it data::proxies::real
fi
