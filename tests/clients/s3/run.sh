#!/usr/bin/env bash
# The S3 protocol by clients that others use: `run.sh CLIENTS HOST:PORT API FOLDER`. The clients are installed below CLIENTS; the token of
# the API is WASMYARD_API_TOKEN. The Node.js is the younger one of wrangler's, which is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
clients=$1 address=$2 api=$3 folder=$4

fail() {
  echo "s3 clients: FAILED: $1" >&2
  exit 1
}
python="$clients/s3-python/bin/python"
if ! "$python" -c 'import boto3, S3' 2>/dev/null; then
  python3 -m venv "$clients/s3-python" || fail "python3 with venv is missing"
  "$clients/s3-python/bin/pip" install --quiet boto3==1.44.8 s3cmd==2.4.0 || fail "boto3 and s3cmd cannot be installed"
fi
if [ ! -d "$clients/s3-node/node_modules/@aws-sdk/s3-request-presigner" ]; then
  mkdir -p "$clients/s3-node"
  (cd "$clients/s3-node" && npm install --no-save --no-fund --no-audit --loglevel=error --prefix . \
    @aws-sdk/client-s3@3.1169.0 @aws-sdk/lib-storage@3.1169.0 @aws-sdk/s3-request-presigner@3.1169.0) ||
    fail "the SDK for JavaScript cannot be installed"
fi

# The key is the token's id, and the secret its SHA-256.
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
AWS_ACCESS_KEY_ID=$(curl --silent --fail --header "Authorization: Bearer $WASMYARD_API_TOKEN" "$api/user/tokens/verify" |
  "$python" -c 'import json, sys; print(json.load(sys.stdin)["result"]["id"])') || fail "the token has no id"
AWS_SECRET_ACCESS_KEY=$(printf %s "$WASMYARD_API_TOKEN" | sha256sum | cut -d' ' -f1)

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$folder/front.key" -out "$folder/front.pem" 2>/dev/null || fail "openssl makes no certificate"
"$python" tls_front.py "$folder/front.pem" "$folder/front.key" "$address" >"$folder/front" &
front=$!
trap 'kill "$front" 2>/dev/null || true' EXIT
until [ -s "$folder/front" ]; do
  kill -0 "$front" 2>/dev/null || fail "there is no TLS in front"
  sleep 0.1
done
export WASMYARD_S3_CA="$folder/front.pem"
"$python" boto.py "http://$address" "https://127.0.0.1:$(cat "$folder/front")"
WASMYARD_AWS_MODULES="$clients/s3-node" "$clients/node22/node_modules/node/bin/node" aws_sdk.mjs "http://$address" "$folder"
./s3cmd.sh "$clients/s3-python/bin/s3cmd" "$address" "$folder"
