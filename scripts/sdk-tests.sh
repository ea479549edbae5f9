#!/usr/bin/env bash
# The calls of the official SDKs for Python and TypeScript on zones, custom hostnames and notifications, projects that
# wrangler deploys, the types of sdk/js, and clients of the S3 protocol, against a server of this build. The clients are installed below target/. Without them this fails: a test that was not run must not look like one
# that passed.
set -euo pipefail
cd "$(dirname "$0")/.."
clients="$PWD/target/clients"
mkdir -p "$clients/node"

fail() {
  echo "sdk-tests: FAILED: $1" >&2
  exit 1
}
if ! "$clients/python/bin/python" -c 'import cloudflare' 2>/dev/null; then
  python3 -m venv "$clients/python" || fail "python3 with venv is missing"
  "$clients/python/bin/pip" install --quiet cloudflare==5.9.0 || fail "the SDK for Python cannot be installed"
fi
if [ ! -d "$clients/node/node_modules/cloudflare" ]; then
  (cd "$clients/node" && npm install --no-save --no-fund --no-audit --loglevel=error cloudflare@6.5.0) ||
    fail "the SDK for TypeScript cannot be installed"
fi
# Two ages of wrangler; the younger one wants a younger Node.js.
installed() {
  [ -d "$clients/$1/node_modules/${2%%@*}" ] && return
  mkdir -p "$clients/$1"
  (cd "$clients/$1" && npm install --no-save --no-fund --no-audit --loglevel=error "$2") || fail "$2 cannot be installed"
}
installed wrangler wrangler@4.86.0
installed wrangler-new wrangler@4.164.0
installed node22 node@22.23.3
installed types typescript@5.9.3
export WASMYARD_TYPESCRIPT="$clients/types/node_modules/typescript"
export WASMYARD_COMPONENT="$PWD/examples/target/wasm32-wasip2/release/hello.wasm"
[ -f "$WASMYARD_COMPONENT" ] || scripts/build-guests.sh -p hello
program=${WASMYARD:-}
if [ -z "$program" ]; then
  # As the tests build it: by itself it would be built once more, with other features of what it depends on.
  cargo test --workspace --test it --no-run
  program="$PWD/target/debug/wasmyard"
fi

folder=$(mktemp -d)
processes=()
clean() {
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap clean EXIT

# Somebody who takes notifications: says at which port it listens, and takes everything.
"$clients/python/bin/python" - >"$folder/receiver" <<'PYTHON' &
import http.server

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
PYTHON
processes+=($!)
until [ -s "$folder/receiver" ]; do sleep 0.1; done
port=$(cat "$folder/receiver")
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=partner -keyout "$folder/ca.key" \
  -out "$folder/ca.pem" 2>/dev/null || fail "openssl makes no authority of clients"
export WASMYARD_CLIENT_CA="$folder/ca.pem"
printf '[server]\nreserved_names = true\nlisten_tls = "127.0.0.1:0"\n[webhooks]\nports = [%s]\nallow_private = ["127.0.0.1"]\n' "$port" >"$folder/wasmyard.toml"
printf '[r2]\ns3_listen = "127.0.0.1:0"\n[namespaces.production]\n' >>"$folder/wasmyard.toml"
for route in '*.apps.test/* dispatcher' 'typed.test/* typed' 'older.test/* older' 'commands.test/* commands' 'types.test/* types'; do
  printf '[[routes]]\npattern = "%s"\nscript = "%s"\n' "${route% *}" "${route#* }" >>"$folder/wasmyard.toml"
done
export WASMYARD_RECEIVER="http://127.0.0.1:$port/" WASMYARD_API_TOKEN="a-token-for-these-tests" WASMYARD_NODE_MODULES="$clients/node"
export WASMYARD_PROGRAM="$program"

# A server with nothing in it: its name. Where it listens is in the file of that name.
serve() {
  "$program" serve --config "$folder/wasmyard.toml" --data "$folder/data-$1" --listen 127.0.0.1:0 --api-listen 127.0.0.1:0 \
    >"$folder/$1" 2>"$folder/$1.log" &
  processes+=($!)
  until grep -q '^api ' "$folder/$1" 2>/dev/null; do
    kill -0 "${processes[-1]}" 2>/dev/null || fail "the server does not start: $(cat "$folder/$1.log")"
    sleep 0.1
  done
}
api() { echo "$(sed -n 's/^api *//p' "$folder/$1")/client/v4"; }
visitors() { sed -n 's/^visitors *//p' "$folder/$1"; }

serve sdks
"$clients/python/bin/python" tests/clients/python_sdk.py "$(api sdks)"
node tests/clients/typescript_sdk.mjs "$(api sdks)"
s3=$(sed -n 's/^s3 *//p' "$folder/sdks")
tests/clients/s3/run.sh "$clients" "${s3#http://}" "$(api sdks)" "$folder"

# What one age of wrangler does: its folder, and the program that runs it.
wrangler() {
  export WASMYARD_WRANGLER="$clients/$1/node_modules/wrangler/bin/wrangler.js" WASMYARD_NODE="$2"
  node tests/clients/wrangler.mjs "$(api "$1")" "$(visitors "$1")"
  node tests/clients/wrangler/commands.mjs "$(api "$1")" "$(visitors "$1")" "$folder/$1.json"
}
node tests/clients/types.mjs "$(api sdks)" "$(visitors sdks)"
serve wrangler
serve wrangler-new
wrangler wrangler "$(command -v node)" &
older=$!
wrangler wrangler-new "$clients/node22/node_modules/node/bin/node"
wait "$older"
node tests/clients/wrangler/page.mjs docs/wrangler.md "$folder/wrangler.json" "$folder/wrangler-new.json"
