#!/usr/bin/env bash
# Applications of packages from npm (tests/clients/bundles), against a server of this build and beside workerd. What they are
# built of is installed below target/, as its lock file says. Without it this fails: a test that was not run must not look like
# one that passed. With names behind it: only those applications.
set -euo pipefail
cd "$(dirname "$0")/.."
source=tests/clients/bundles
place="$PWD/target/clients/bundles"
workerd_version=$(sed -n 's/^VERSION=//p' scripts/workerd-tests.sh)
workerd="$PWD/target/workerd-$workerd_version"

fail() {
  echo "bundle-tests: FAILED: $1" >&2
  exit 1
}
command -v npm >/dev/null || fail "npm is missing"
[ -x "$workerd/node_modules/.bin/workerd" ] ||
  npm install --silent --no-audit --no-fund --prefix "$workerd" "workerd@$workerd_version" || fail "workerd cannot be installed"
mkdir -p "$place"
rm -rf "$place/apps"
cp -r "$source"/* "$place/"
if ! cmp -s "$source/package-lock.json" "$place/installed"; then
  (cd "$place" && npm ci --silent --no-audit --no-fund) || fail "the packages cannot be installed"
  cp "$source/package-lock.json" "$place/installed"
fi
program=${WASMYARD:-}
if [ -z "$program" ]; then
  # As the tests build it: by itself it would be built once more, with other features of what it depends on.
  cargo test --workspace --test it --no-run
  program="$PWD/target/debug/wasmyard"
fi

folder=$(mktemp -d)
server=
clean() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap clean EXIT
# An unoptimized server, and whatever else the machine does: what is asked here is what is answered, not how fast.
printf '[limits]\ncpu_ms = 30000\n' >"$folder/wasmyard.toml"
for app in "$source"/apps/*; do
  name=$(basename "${app%.*}")
  printf '[[routes]]\npattern = "%s.bundles.test/*"\nscript = "%s"\n' "$name" "$name" >>"$folder/wasmyard.toml"
done
export WASMYARD_API_TOKEN="a-token-for-these-tests"
"$program" serve --config "$folder/wasmyard.toml" --data "$folder/data" --listen 127.0.0.1:0 --api-listen 127.0.0.1:0 \
  >"$folder/serve" 2>"$folder/log" &
server=$!
until grep -q '^api ' "$folder/serve" 2>/dev/null; do
  kill -0 "$server" 2>/dev/null || fail "the server does not start: $(cat "$folder/log")"
  sleep 0.1
done
api="$(sed -n 's/^api *//p' "$folder/serve")/client/v4"
visitors=$(sed -n 's/^visitors *//p' "$folder/serve")
if ! node "$place/run.mjs" "$api" "$visitors" "$workerd/node_modules/.bin/workerd" "$@"; then
  grep -E '"stream":"stderr"|"level":"(WARN|ERROR)"' "$folder/log" | tail -40 >&2 || true
  fail "see above"
fi
