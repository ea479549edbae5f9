#!/usr/bin/env bash
# What s3cmd does with buckets and objects: `s3cmd.sh PROGRAM HOST:PORT FOLDER`; key and secret by AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY. It signs whole bodies, and lists by the first version.
set -euo pipefail
program=$1 address=$2 folder=$3
s3cmd() {
  "$(dirname "$program")/python" "$program" --config=/dev/null --no-ssl --host="$address" --host-bucket="$address" --region=auto --no-progress \
    --max-retries=1 --access_key="$AWS_ACCESS_KEY_ID" --secret_key="$AWS_SECRET_ACCESS_KEY" "$@"
}
fail() {
  echo "s3cmd: $1 is not as it should be" >&2
  exit 1
}
mkdir -p "$folder/tree/deep"
printf small >"$folder/tree/a b.txt"
printf deep >"$folder/tree/deep/å"
head -c 12000000 /dev/urandom >"$folder/large"
s3cmd mb s3://by-s3cmd >/dev/null
[[ "$(s3cmd ls)" =~ s3://by-s3cmd ]] || fail "the list of buckets"
s3cmd sync "$folder/tree/" s3://by-s3cmd/tree/ >/dev/null
s3cmd put --multipart-chunk-size-mb=5 "$folder/large" s3://by-s3cmd/large >/dev/null
[ "$(s3cmd ls s3://by-s3cmd/tree/ | grep -c -e 'DIR.*deep/' -e 'a b.txt')" = 2 ] || fail "the list"
[ "$(s3cmd ls --recursive s3://by-s3cmd | wc -l)" = 3 ] || fail "the list of all"
s3cmd get --force s3://by-s3cmd/large "$folder/back" >/dev/null
cmp "$folder/large" "$folder/back" || fail "what came back"
s3cmd cp s3://by-s3cmd/large s3://by-s3cmd/copy >/dev/null
s3cmd mv s3://by-s3cmd/copy s3://by-s3cmd/moved >/dev/null
[[ "$(s3cmd info s3://by-s3cmd/moved)" =~ "File size: 12000000" ]] || fail "what is known of an object"
[ -z "$(s3cmd sync --dry-run "$folder/tree/" s3://by-s3cmd/tree/ | grep upload:)" ] || fail "what is to be sent again"
s3cmd del --recursive --force s3://by-s3cmd >/dev/null
[ -z "$(s3cmd ls --recursive s3://by-s3cmd)" ] || fail "what is left"
echo "$(s3cmd --version): put in parts, get, sync, list, copy, move, info, delete"
