#!/usr/bin/env bash
# Counts the instructions of a request in the runtime, without a server: the same on every run of one machine,
# where wall time on a shared machine is not. Compares them with benches/instructions.json.
#
# Usage: instructions.sh [--record]      --record writes the counts down as the new baseline
#
# Exit code 1 when a chain takes more than 3 % more than the baseline says: a change that does so needs a reason.
# PROFILE=dev counts the development profile, to try the script out; it is never recorded.
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${PROFILE:-dist}
baseline=benches/instructions.json
few=200 many=1200
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 2; }
if [ -n "${IN_PROCESS:-}" ]; then
  binary=$IN_PROCESS
else
  cargo build --profile "$profile" --package wasmyard-benches --bin in-process
  binary=target/$([ "$profile" = dev ] && echo debug || echo "$profile")/in-process
fi

# Valgrind counts an instruction that fills or copies a whole page (`rep stosb`, `rep movsb`) once for each byte, though a
# processor is through with it in the time of a few dozen others. Here the C library takes its vector loops instead.
export GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=100000000:glibc.cpu.x86_rep_movsb_threshold=100000000

# Instructions of the whole process that makes $2 requests of chain $1.
counted() {
  local out
  out=$(mktemp)
  # Under valgrind a request takes longer than a tick of the clock: without ticks, as most requests are.
  scripts/under-valgrind.py valgrind --tool=callgrind --callgrind-out-file=/dev/null \
    "$binary" repeat "$1" "$2" --no-ticks 2>"$out" >/dev/null ||
    { cat "$out" >&2; exit 2; }
  sed -n 's/^==[0-9]*== Collected : //p' "$out"
  rm -f "$out"
}

recorded() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$baseline" 2>/dev/null || true; }

worse=0 lines=()
printf '| chain | instructions a request | baseline | change |\n| --- | --- | --- | --- |\n'
for chain in one two tail three; do
  # Compiles what is not compiled yet: the counts that follow begin with the same work.
  counted "$chain" 1 >/dev/null
  each=$(( ($(counted "$chain" "$many") - $(counted "$chain" "$few")) / (many - few) ))
  lines+=("  \"$chain\": $each")
  was=$(recorded "$chain")
  if [ -z "$was" ]; then
    change='no baseline'
  else
    change=$(awk -v now="$each" -v was="$was" 'BEGIN { printf "%+.2f %%", (now / was - 1) * 100 }')
    if [ "$each" -gt $(( was * 103 / 100 )) ]; then
      change="**$change: more than 3 %**"
      worse=1
    fi
  fi
  printf '| %s | %s | %s | %s |\n' "$chain" "$each" "${was:--}" "$change"
done

if [ "${1:-}" = --record ]; then
  [ "$profile" = dist ] || { echo "only the profile that is shipped is recorded" >&2; exit 2; }
  { echo '{'; printf '%s' "${lines[0]}"; printf ',\n%s' "${lines[@]:1}"; printf '\n}\n'; } > "$baseline"
  echo "recorded in $baseline"
  exit 0
fi
if [ "$worse" = 1 ]; then
  echo "A chain takes over 3 % more instructions than the baseline. Find out why with" >&2
  echo "  scripts/under-valgrind.py valgrind --tool=callgrind $binary repeat one $many --no-ticks" >&2
  echo "and callgrind_annotate," >&2
  echo "then either bring it down, or record it (--record) in a commit that says what it buys." >&2
fi
exit "$worse"
