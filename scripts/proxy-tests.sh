#!/usr/bin/env bash
# The tests behind real proxies, with the lines of docs/behind-a-proxy.md: nginx and Caddy are installed from the system's
# packages where they are missing. Without them this fails: a test that was not run must not look like one that passed.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
command -v caddy >/dev/null 2>&1 || missing+=(caddy)
if [ "${#missing[@]}" -gt 0 ]; then
  echo "proxy-tests: installing ${missing[*]}" >&2
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  # Their own services are not wanted: the tests start them with files of their own.
  if ! { "${as_root[@]}" apt-get update -q && RUNLEVEL=1 "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"; } >&2; then
    echo "proxy-tests: FAILED: ${missing[*]} could not be installed; install them by hand and run this again." >&2
    exit 1
  fi
fi
PATH="$PATH:/usr/sbin"
export PATH

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --ignore-default-filter -E 'test(/^data::proxies::real/)'
else
  cargo test --workspace --test it data::proxies::real
fi
