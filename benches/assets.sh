#!/usr/bin/env bash
# Static files beside nginx: the same folder, the same machine, keep-alive, servers on processor 0, wrk on processor 1,
# rounds in turn. What counts are the ratios. A peer that is not installed is reported as missing.
#
#   cargo build --profile dist --package wasmyard-cli && benches/assets.sh
#   SECONDS_EACH=5 ROUNDS=5 WASMYARD=target/release/wasmyard benches/assets.sh
set -euo pipefail
cd "$(dirname "$0")/.."
wasmyard=$(realpath "${WASMYARD:-target/dist/wasmyard}")
seconds=${SECONDS_EACH:-3}
rounds=${ROUNDS:-5}
connections=${CONNECTIONS:-32}

command -v wrk >/dev/null || { echo "wrk is not installed: apt-get install wrk"; exit 1; }
[ -x "$wasmyard" ] || { echo "$wasmyard is not there: cargo build --profile dist --package wasmyard-cli"; exit 1; }
nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)

work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
pinned() { if command -v taskset >/dev/null; then taskset -c "$1" "${@:2}"; else "${@:2}"; fi; }

# Random bytes with a type that is not compressed: both servers send the same bytes.
mkdir -p "$work/site"
head -c 1024 /dev/urandom >"$work/site/1k.png"
head -c 16384 /dev/urandom >"$work/site/16k.png"
head -c 1048576 /dev/urandom >"$work/site/1m.png"
head -c 8388608 /dev/urandom >"$work/site/8m.png"

cat >"$work/wasmyard.toml" <<TOML
[server]
listen = "127.0.0.1:0"
api_listen = "127.0.0.1:0"
data = "data"
[scripts.site]
assets = { directory = "site" }
[[routes]]
pattern = "*/*"
script = "site"
TOML
(cd "$work" && exec taskset -c 0 "$wasmyard" serve --config wasmyard.toml) >"$work/ours.log" 2>"$work/ours.err" &
pids+=($!)
address() { sed -n "s/^$1 *//p" "$work/ours.log" | head -1; }
for _ in $(seq 200); do [ -n "$(address visitors)" ] && break; sleep 0.1; done
ours=$(address visitors)
[ -n "$ours" ] || { echo "wasmyard did not start:"; cat "$work/ours.err"; exit 1; }

theirs=
if [ -n "$nginx" ]; then
  port=$(( 20000 + RANDOM % 20000 ))
  cat >"$work/nginx.conf" <<NGINX
worker_processes 1; daemon off; pid $work/nginx.pid; error_log $work/nginx.err;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types; access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=1000 inactive=60s; etag on;
  client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
  server { listen 127.0.0.1:$port; root $work/site; add_header Cache-Control "public, max-age=0, must-revalidate"; }
}
NGINX
  pinned 0 "$nginx" -c "$work/nginx.conf" &
  pids+=($!)
  theirs=http://127.0.0.1:$port
  chmod -R a+rX "$work"
  for _ in $(seq 100); do curl -fs -o /dev/null "$theirs/1k.png" && break; sleep 0.1; done
else
  echo "nginx is not installed, so its columns are missing: apt-get install nginx"
fi

# Requests and bytes in a second: `rate URL [header]`.
rate() {
  pinned 1 wrk -t1 -c"$connections" -d"${seconds}s" ${2:+-H "$2"} "$1" | awk '
    /Requests\/sec/ { r = $2 }
    /Transfer\/sec/ { u = $2; n = u + 0; if (u ~ /KB/) n *= 1024; if (u ~ /MB/) n *= 1048576; if (u ~ /GB/) n *= 1073741824 }
    /Non-2xx/ { bad = $0 }
    END { print r, n }'
}
median() { sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
tag() { curl -sI "$1" | tr -d '\r' | sed -n 's/^[Ee][Tt][Aa][Gg]: //p'; }

echo "| file | wasmyard requests/s | MB/s | nginx requests/s | MB/s | ratio of requests/s |"
echo "|---|---|---|---|---|---|"
row() { # name, path, conditional
  local o=() t=() ob=() tb=() header_o='' header_t=''
  if [ -n "${3:-}" ]; then
    header_o="If-None-Match: $(tag "$ours$2")"
    [ -z "$theirs" ] || header_t="If-None-Match: $(tag "$theirs$2")"
  fi
  for round in $(seq 0 "$rounds"); do
    read -r r b < <(rate "$ours$2" "$header_o")
    # The first round warms up.
    if [ "$round" -gt 0 ]; then o+=("$r"); ob+=("$b"); fi
    if [ -n "$theirs" ]; then
      read -r r b < <(rate "$theirs$2" "$header_t")
      if [ "$round" -gt 0 ]; then t+=("$r"); tb+=("$b"); fi
    fi
  done
  local mo mb mt=- mtb=- ratio=-
  mo=$(printf '%s\n' "${o[@]}" | median); mb=$(printf '%s\n' "${ob[@]}" | median)
  if [ -n "$theirs" ]; then
    mt=$(printf '%s\n' "${t[@]}" | median); mtb=$(printf '%s\n' "${tb[@]}" | median)
    ratio=$(awk "BEGIN { printf \"%.2f\", $mo / $mt }"); mtb=$(awk "BEGIN { printf \"%.0f\", $mtb / 1e6 }")
  fi
  echo "| $1 | $mo | $(awk "BEGIN { printf \"%.0f\", $mb / 1e6 }") | $mt | $mtb | $ratio |"
}
row "1 KiB" /1k.png
row "1 KiB, 304" /1k.png conditional
row "16 KiB" /16k.png
row "1 MiB" /1m.png
row "8 MiB (an open file)" /8m.png
