#!/usr/bin/env bash
# Static files: served beside nginx, out of a namespace of 100,000 files, and uploaded with an interruption. Servers are
# on processor 0, load and client on processor 1; rounds go in turn over all lanes, and a ratio is taken between two
# rounds of one turn. Prints tables, writes target/bench/assets.json. A peer that is not installed is reported as missing.
#
#   cargo build --profile dist --package wasmyard-cli && benches/assets.sh
#   benches/assets.sh [--quick] [serve] [many] [upload]      all three without a word
#   SECONDS_EACH=5 ROUNDS=5 CONNECTIONS=32 FILES=20000 SCRIPTS=5 WASMYARD=target/release/wasmyard benches/assets.sh
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=
[ "${1:-}" = --quick ] && { quick=yes; shift; }
wasmyard=$(realpath "${WASMYARD:-target/dist/wasmyard}")
seconds=${SECONDS_EACH:-${quick:+1}}; seconds=${seconds:-3}
rounds=${ROUNDS:-${quick:+2}}; rounds=${rounds:-5}
connections=${CONNECTIONS:-32}
files=${FILES:-${quick:+2000}}; files=${files:-20000}
scripts=${SCRIPTS:-5}
modes="${*:-serve many upload}"
out=$PWD/target/bench/assets.json

for mode in $modes; do
  case $mode in serve | many | upload) ;; *) echo "usage: assets.sh [--quick] [serve] [many] [upload]" >&2; exit 2 ;; esac
done
[ -x "$wasmyard" ] || { echo "$wasmyard is not there: cargo build --profile dist --package wasmyard-cli" >&2; exit 1; }
command -v taskset >/dev/null || { echo "taskset is not installed: apt-get install util-linux" >&2; exit 1; }
[ "$modes" = upload ] || command -v wrk >/dev/null || { echo "wrk is not installed: apt-get install wrk" >&2; exit 1; }
nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)

work=$(mktemp -d)
pids=()
finish() {
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
figures=$work/figures
: >"$figures"

# ---- figures: `figure NAME UNIT TARGET VALUE...`, a value for each round; TARGET is like `>=0.7`, or `-`

figure() {
  local name=$1 unit=$2 target=$3
  shift 3
  local spread
  spread=$(printf '%s\n' "$@" | sort -g | awk '{ a[NR] = $1 } END { printf "%.6g\t%.6g\t%.6g", a[int((NR + 1) / 2)], a[1], a[NR] }')
  printf '%s\t%s\t%s\t%s\n' "$name" "$unit" "$target" "$spread" >>"$figures"
}
table() { # title
  echo
  echo "## $1"
  echo
  echo "| what | median | least | most | unit | target | |"
  echo "|---|---|---|---|---|---|---|"
  awk -F'\t' '
    function shown(n) { return n >= 100 ? sprintf("%.0f", n) : sprintf("%.3g", n) }
    { verdict = ""
      if ($3 != "-") { bound = substr($3, 3) + 0; met = (substr($3, 1, 2) == ">=") ? $4 >= bound : $4 <= bound
                       verdict = met ? "met" : "**gap**" }
      printf "| %s | %s | %s | %s | %s | %s | %s |\n", $1, shown($4), shown($5), shown($6), $2, $3, verdict }' "$figures"
  cat "$figures" >>"$figures.all"
  : >"$figures"
}
json() {
  mkdir -p "$(dirname "$out")"
  {
    printf '{"form":1,"quick":%s,"rounds":%s,"seconds":%s,"connections":%s,"files":%s,"scripts":%s,"binary":"%s",' \
      "$([ -n "$quick" ] && echo true || echo false)" "$rounds" "$seconds" "$connections" "$files" "$scripts" \
      "$("$wasmyard" --version)"
    printf '"nginx":"%s","figures":[' "$([ -n "$nginx" ] && "$nginx" -v 2>&1 | sed 's/.*: //')"
    awk -F'\t' '{ printf "%s\n{\"what\":\"%s\",\"unit\":\"%s\",\"target\":\"%s\",\"median\":%s,\"least\":%s,\"most\":%s}",
                  (NR > 1 ? "," : ""), $1, $2, $3, $4, $5, $6 }' "$figures.all"
    printf '\n]}\n'
  } >"$out"
  echo
  echo "written to ${out#"$PWD"/}"
}
quotients() { paste <(printf '%s\n' $1) <(printf '%s\n' $2) | awk '{ print ($2 > 0) ? $1 / $2 : 0 }'; }

# ---- servers and load

# Starts the platform in the folder $1; sets server, visitors and api.
start() {
  local folder=$1
  # Words of an earlier start are not to be taken for those of this one.
  : >"$folder/out"
  (cd "$folder" && exec taskset -c 0 "$wasmyard" serve --config wasmyard.toml) >"$folder/out" 2>"$folder/err" &
  server=$!
  pids+=("$server")
  visitors=
  for _ in $(seq 6000); do
    visitors=$(sed -n 's/^visitors *//p' "$folder/out" | head -1)
    [ -n "$visitors" ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  api=$(sed -n 's/^api *//p' "$folder/out" | head -1)
  [ -n "$visitors" ] || { echo "wasmyard did not start:" >&2; cat "$folder/err" >&2; exit 1; }
}
stop() { kill -9 "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
# A folder's files as the script $3 of the namespace $4 (none: a platform script); prints what the command says.
deploy() { # folder of the server, folder of files, script, namespace
  (cd "$1" && taskset -c 1 "$wasmyard" deploy --api-url "$api" --assets "$2" --name "$3" ${4:+--namespace "$4"} 2>&1)
}
# Requests per second, bytes per second, and the median latency in µs: `rate URL [argument of wrk...]`.
rate() {
  local url=$1
  shift
  taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" --latency "$@" "$url" ${script_arguments:+-- $script_arguments} | awk '
    function bytes(u) { n = u + 0; if (u ~ /KB/) n *= 1024; if (u ~ /MB/) n *= 1048576; if (u ~ /GB/) n *= 1073741824; return n }
    function micros(u) { n = u + 0; if (u ~ /ms/) n *= 1000; else if (u !~ /us/) n *= 1000000; return n }
    /Requests\/sec/ { r = $2 }
    /Transfer\/sec/ { b = bytes($2) }
    /^ *50%/ { l = micros($2) }
    /Non-2xx|Socket errors/ { print "wrk: " $0 > "/dev/stderr"; failed = 1 }
    END { if (!failed) print r, b, l; else print 0, 0, 0 }'
}
tag() { curl -sI "$1" | tr -d '\r' | sed -n 's/^[Ee][Tt][Aa][Gg]: //p'; }
config() { # folder: a configuration with what is on standard input
  mkdir -p "$1"
  { printf '[server]\nlisten = "127.0.0.1:0"\napi_listen = "127.0.0.1:0"\ndata = "data"\n'; cat; } >"$1/wasmyard.toml"
}
# So many small files below $1, each with a content of its own that $3 goes into.
make_files() {
  mkdir -p "$1"
  awk -v root="$1" -v count="$2" -v mark="$3" 'BEGIN {
    for (n = 0; n < count; n++) {
      file = sprintf("%s/%05d.png", root, n)
      printf "%s %d", mark, n > file
      close(file)
    }
  }'
}

# ---- serve: the same files from nginx

serve() {
  local base=$work/serve logged=$work/logged theirs='' theirs_logged='' port folder
  mkdir -p "$work/site"
  # Random bytes of a type that is not compressed: both servers send the same bytes.
  head -c 1024 /dev/urandom >"$work/site/1k.png"
  head -c 16384 /dev/urandom >"$work/site/16k.png"
  head -c 1048576 /dev/urandom >"$work/site/1m.png"
  head -c 8388608 /dev/urandom >"$work/site/8m.png"
  for folder in "$base" "$logged"; do
    config "$folder" <<'TOML'
[scripts.site]
assets = { directory = "../site" }
[[routes]]
pattern = "*/*"
script = "site"
TOML
  done
  WASMYARD_LOG=wasmyard::access=off,info start "$base"
  local ours=$visitors first=$server
  start "$logged"
  local ours_logged=$visitors second=$server
  if [ -n "$nginx" ]; then
    port=$((20000 + RANDOM % 20000))
    cat >"$base/nginx.conf" <<NGINX
worker_processes 1; daemon off; pid $base/nginx.pid; error_log $base/nginx.err;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  open_file_cache max=1000 inactive=60s; etag on; root $work/site; add_header Cache-Control "public, max-age=0, must-revalidate";
  client_body_temp_path $base/t1; proxy_temp_path $base/t2; fastcgi_temp_path $base/t3; uwsgi_temp_path $base/t4; scgi_temp_path $base/t5;
  server { listen 127.0.0.1:$port; access_log off; }
  server { listen 127.0.0.1:$((port + 1)); access_log $base/nginx.log combined; }
}
NGINX
    # Its worker is another user's process.
    chmod -R a+rX "$work"
    taskset -c 0 "$nginx" -c "$base/nginx.conf" 2>"$base/nginx.err" &
    pids+=($!)
    theirs=http://127.0.0.1:$port
    theirs_logged=http://127.0.0.1:$((port + 1))
    for _ in $(seq 100); do curl -fs -o /dev/null "$theirs/1k.png" && break; sleep 0.1; done
    curl -fs -o /dev/null "$theirs/1k.png" || { echo "nginx did not start:" >&2; cat "$base/nginx.err" >&2; exit 1; }
  else
    echo "nginx is not installed, so its figures are missing: apt-get install nginx"
  fi
  size() { # name, path, target of requests/s, target of bytes/s
    local name=$1 path=$2 wanted=$3 wanted_bytes=$4 lane r b l
    local -A url=([full]="$ours$path" [again]="$ours$path" [their_full]="$theirs$path" [their_again]="$theirs$path")
    url[logged]=$ours_logged$path
    url[their_logged]=$theirs_logged$path
    local -A known=() requests=() bytes=()
    known[again]=$(tag "$ours$path")
    [ -n "${known[again]}" ] || { echo "$ours$path has no tag" >&2; exit 1; }
    local lanes="full logged again"
    if [ -n "$theirs" ]; then
      lanes="full their_full logged their_logged again their_again"
      known[their_again]=$(tag "$theirs$path")
    fi
    for round in $(seq 0 "$rounds"); do
      for lane in $lanes; do
        if [ -n "${known[$lane]:-}" ]; then
          read -r r b l < <(rate "${url[$lane]}" -H "If-None-Match: ${known[$lane]}")
        else
          read -r r b l < <(rate "${url[$lane]}")
        fi
        # The first round warms up.
        [ "$round" -eq 0 ] || { requests[$lane]+=" $r"; bytes[$lane]+=" $b"; }
      done
    done
    figure "$name" "requests/s" - ${requests[full]}
    figure "$name, with an access log" "requests/s" - ${requests[logged]}
    figure "$name" "bytes/s" - ${bytes[full]}
    figure "$name, 304" "requests/s" - ${requests[again]}
    figure "$name, 304 : 200" "ratio of requests/s" ">=1" $(quotients "${requests[again]}" "${requests[full]}")
    [ -n "$theirs" ] || return 0
    figure "$name, nginx" "requests/s" - ${requests[their_full]}
    figure "$name, nginx, with an access log" "requests/s" - ${requests[their_logged]}
    figure "$name, nginx, 304" "requests/s" - ${requests[their_again]}
    figure "$name : nginx" "ratio of requests/s" "$wanted" $(quotients "${requests[full]}" "${requests[their_full]}")
    figure "$name : nginx, both with an access log" "ratio of requests/s" "$wanted" $(quotients "${requests[logged]}" "${requests[their_logged]}")
    figure "$name : nginx" "ratio of bytes/s" "$wanted_bytes" $(quotients "${bytes[full]}" "${bytes[their_full]}")
    figure "$name, 304 : nginx, 304" "ratio of requests/s" - $(quotients "${requests[again]}" "${requests[their_again]}")
  }
  size "1 KiB" /1k.png ">=0.7" -
  size "16 KiB" /16k.png - -
  size "1 MiB" /1m.png - ">=0.9"
  size "8 MiB (an open file)" /8m.png - -
  for server in "$first" "$second"; do stop; done
  table "Files from one server beside nginx"
}

# ---- many: a namespace of 100,000 files beside one with a single file

resident() { awk -v what="$1:" '$1 == what { print $2 / 1024 }' "/proc/$server/status"; }
many() {
  local base=$work/many n
  config "$base" <<'TOML'
asset_memory = "256MiB"
[namespaces.many]
[namespaces.one]
[[routes]]
pattern = "*.many.test/*"
namespace = "many"
[[routes]]
pattern = "*.one.test/*"
namespace = "one"
TOML
  make_files "$base/files/one" 1 one
  for n in $(seq 0 $((scripts - 1))); do make_files "$base/files/s$n" "$files" "script $n"; done
  # The same work for the client whichever namespace it asks: a script and a path of many, or always the first.
  cat >"$base/paths.lua" <<'LUA'
local n, scripts, files, suffix = 1, 1, 1, ""
function init(arguments)
  scripts, files, suffix = tonumber(arguments[1]), tonumber(arguments[2]), arguments[3]
end
function request()
  n = (n * 48271) % 2147483647
  local host = string.format("s%d.%s", n % scripts, suffix)
  return wrk.format("GET", string.format("/%05d.png", math.floor(n / 8) % files), { Host = host })
end
LUA
  start "$base"
  deploy "$base" files/one s0 one >/dev/null
  script_arguments="1 1 one.test"
  rate "$visitors" -s "$base/paths.lua" >/dev/null
  figure "memory that is its own, one file" MiB - "$(resident RssAnon)"
  local begun=$EPOCHREALTIME
  for n in $(seq 0 $((scripts - 1))); do deploy "$base" "files/s$n" "s$n" many >/dev/null; done
  figure "deploying $((scripts * files)) files" s - "$(awk "BEGIN { print $EPOCHREALTIME - $begun }")"
  figure "memory that is its own, after that" MiB - "$(resident RssAnon)"
  local -A requests=() latency=() is=([one]="1 1 one.test" [hot]="1 1 many.test" [all]="$scripts $files many.test")
  local r b l lane
  # Until every file was asked for, its content is read from the disk.
  for round in $(seq -1 "$rounds"); do
    for lane in one hot all; do
      script_arguments=${is[$lane]}
      read -r r b l < <(rate "$visitors" -s "$base/paths.lua")
      [ "$round" -lt 1 ] || { requests[$lane]+=" $r"; latency[$lane]+=" $l"; }
    done
  done
  script_arguments=
  figure "memory that is its own, once files were asked for" MiB - "$(resident RssAnon)"
  figure "memory in all, files of the program among it" MiB - "$(resident VmRSS)"
  figure "a namespace of 1 file" "requests/s" - ${requests[one]}
  figure "one file of $((scripts * files))" "requests/s" - ${requests[hot]}
  figure "any file of $((scripts * files))" "requests/s" - ${requests[all]}
  figure "one file of $((scripts * files)) : of 1" "ratio of requests/s" ">=0.9" $(quotients "${requests[hot]}" "${requests[one]}")
  figure "any file of $((scripts * files)) : of 1" "ratio of requests/s" - $(quotients "${requests[all]}" "${requests[one]}")
  figure "median latency, of 1 file" µs - ${latency[one]}
  figure "median latency, one file of $((scripts * files))" µs - ${latency[hot]}
  figure "median latency, any file of $((scripts * files))" µs - ${latency[all]}
  stop
  table "A namespace of $((scripts * files)) files"
}

# ---- upload: all at once, and with kill -9 of both sides midway

blobs() { find "$1/data/blobs" -type f 2>/dev/null | wc -l; }
to_upload() { sed -n 's/.* files, \([0-9]*\) to upload.*/\1/p' | tail -1; }
upload() {
  local whole=$work/upload cut=$work/cut begun told rest before client
  make_files "$work/files" "$files" upload
  config "$whole" </dev/null
  start "$whole"
  begun=$EPOCHREALTIME
  told=$(deploy "$whole" ../files site)
  [ "$(to_upload <<<"$told")" = "$files" ] || { echo "$told" >&2; exit 1; }
  figure "$files files, uninterrupted" s - "$(awk "BEGIN { print $EPOCHREALTIME - $begun }")"
  begun=$EPOCHREALTIME
  told=$(deploy "$whole" ../files site)
  [ "$(to_upload <<<"$told")" = 0 ] || { echo "$told" >&2; exit 1; }
  figure "$files files again, nothing to upload" s - "$(awk "BEGIN { print $EPOCHREALTIME - $begun }")"
  stop

  config "$cut" </dev/null
  start "$cut"
  before=$(blobs "$cut")
  (cd "$cut" && exec taskset -c 1 "$wasmyard" deploy --api-url "$api" --assets ../files --name site) >/dev/null 2>&1 &
  client=$!
  pids+=("$client")
  while [ $(($(blobs "$cut") - before)) -lt $((files / 2)) ]; do
    kill -0 "$client" 2>/dev/null || { echo "the upload was over before it could be interrupted: raise FILES" >&2; exit 1; }
    sleep 0.05
  done
  kill -9 "$client" "$server"
  wait "$client" "$server" 2>/dev/null || true
  local held=$(($(blobs "$cut") - before))
  start "$cut"
  begun=$EPOCHREALTIME
  told=$(deploy "$cut" ../files site)
  figure "the rest, after kill -9 of client and server" s - "$(awk "BEGIN { print $EPOCHREALTIME - $begun }")"
  rest=$(to_upload <<<"$told")
  figure "contents on the disk when both were killed" files - "$held"
  figure "files of the resumed upload" files - "$rest"
  # A content whose record was not written when the server died comes again: those of the requests under way.
  figure "of these, sent although their content was there" files "<=1000" "$((rest + held > files ? rest + held - files : 0))"
  stop
  table "An upload of $files files"
}

for mode in $modes; do "$mode"; done
json
