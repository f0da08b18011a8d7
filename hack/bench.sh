#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures what the external processor costs (test/bench), and writes
# docs/benchmarks. What was interrupted goes on where it ended. BENCH_SHORT=1: a
# few loads, within two minutes, printed only. BENCH_ONLY: a pattern of loads;
# BENCH_BEFORE: another build of the operator to compare with; BENCH_PROFILE: a file
# for a CPU profile of ours under those loads. All these are printed only, too.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$PWD/.cache/bench
mkdir -p "$dir"
TARS_TEST_ENVOY=${TARS_TEST_ENVOY:-$(test/cluster/cluster tool envoy)}
export TARS_TEST_ENVOY
go build -o "$dir/bench" ./test/bench

if [[ -n ${BENCH_PROFILE:-} ]]; then
  exec "$dir/bench" -profile "$BENCH_PROFILE" -only "${BENCH_ONLY:-}"
fi
if [[ -n ${BENCH_SHORT:-} || -n ${BENCH_ONLY:-} || -n ${BENCH_BEFORE:-} ]]; then
  state=$(mktemp "$dir/printed.XXXXXX.json")
  rm "$state"
  trap 'rm -f "$state"' EXIT
  short=()
  [[ -n ${BENCH_SHORT:-} ]] && short=(-short)
  "$dir/bench" -state "$state" -only "${BENCH_ONLY:-}" -before "${BENCH_BEFORE:-}" "${short[@]}"
  exit
fi

"$dir/bench" -state "$dir/run.json"
figures=$("$dir/bench" report -state "$dir/run.json")
go run -C test/bench/plot . "$PWD/$figures" "$PWD/${figures%.json}.png"
rm "$dir/run.json"
echo "make bench: wrote $figures, ${figures%.json}.png and the table of docs/benchmarks/README.md in ${SECONDS}s"
