#!/usr/bin/env bash
# Calls that Schemathesis makes up from /openapi.json, against a server of this build: what the document allows is taken, what
# it forbids is refused, every answer looks as it says, and none is a fault of the server. Schemathesis is installed below
# target/. Without it this fails: a test that was not run must not look like one that passed.
#
# Usage: schema-tests.sh [SECONDS]     how long at most; 150 without it
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "schema-tests: FAILED: $1" >&2
  exit 1
}
tool="$PWD/target/clients/schemathesis/bin/schemathesis"
version=4.32.5
if [ "$("$tool" --version 2>/dev/null | grep -o '[0-9.]*$')" != "$version" ]; then
  python3 -m venv target/clients/schemathesis || fail "python3 with venv is missing"
  target/clients/schemathesis/bin/pip install --quiet "schemathesis==$version" || fail "Schemathesis cannot be installed"
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
cat >"$folder/wasmyard.toml" <<'TOML'
[server]
api_calls_per_token = 1000000
api_calls_per_second = 1000000

[namespaces.production]
TOML
WASMYARD_API_TOKEN=a-token-for-these-tests "$program" serve --config "$folder/wasmyard.toml" --data "$folder/data" \
  --listen 127.0.0.1:0 --api-listen 127.0.0.1:0 >"$folder/out" 2>"$folder/log" &
server=$!
until grep -q '^api ' "$folder/out"; do
  kill -0 "$server" 2>/dev/null || fail "the server does not start: $(cat "$folder/log")"
  sleep 0.1
done
api=$(sed -n 's/^api *//p' "$folder/out")
config="$PWD/tests/clients/schemathesis.toml"

# It finds the token that it calls with in the list, and would revoke or replace it. What is only wrong together, or for what
# is there, no schema says: what it holds to be right may be refused.
(cd "$folder" && "$tool" --config-file "$config" run "$api/openapi.json" --origin "$api" \
  --header "Authorization: Bearer a-token-for-these-tests" --max-time "${1:-150}" --seed 1 --continue-on-failure --no-color \
  --generation-database none --generation-with-security-parameters false --exclude-checks positive_data_acceptance \
  --exclude-operation-id-regex '^(accountT|t)okens\.(update|delete|value\.update)$')
kill -0 "$server" 2>/dev/null || fail "the server is gone: $(tail -n 5 "$folder/log")"
if grep -q '"level":"ERROR"' "$folder/log"; then
  fail "the server had faults: $(grep '"level":"ERROR"' "$folder/log" | head -n 5)"
fi
