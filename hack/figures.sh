#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures what the operator promises, on a local cluster of its own (test/e2e), as
# root: hack/figures.sh FIGURE, or all of them in one go. Numbers other than the usual
# ones (CYCLES, CROWD, REST_MINUTES) are for a try and printed only; otherwise the raw
# output is kept in docs/evidence/FIGURE.txt. What an interrupted run of cycles has
# tried counts: the same command goes on.
set -euo pipefail
cd "$(dirname "$0")/.."

# focus of the specs that measure a figure.
declare -A focus=(
  [cycles]='means that the first request is served'
  [crowd]='A crowd on one listener'
  [rest]='At rest'
  [links]='The way to TARS|The way to the external processor|One of several that is behind|A firewall before TARS|its Backend API is switched off'
)
figure=${1:-all}
if [[ $figure == all ]]; then
  pattern=$(printf '%s|' "${focus[@]}")
  pattern=${pattern%|}
elif [[ -n ${focus[$figure]:-} ]]; then
  pattern=${focus[$figure]}
else
  echo "usage: $0 [all $(printf '%s ' "${!focus[@]}")]" >&2
  exit 2
fi

commit=$(git describe --always --dirty --abbrev=12 --exclude='*')
state=$PWD/.cache/figures
mkdir -p "$state"
export E2E_FIRST_REQUESTS=${CYCLES:-200} E2E_FIRST_REQUESTS_FILE=$state/cycles-$commit.jsonl
export E2E_CROWD=${CROWD:-100} REST_MINUTES=${REST_MINUTES:-10}
export GINKGO_NO_COLOR=1

output=$state/output.txt
{
  echo "make figures (hack/figures.sh $figure), commit $commit, $(date -u +%Y-%m-%d), $(go version), $(nproc) cores,"
  echo "$(awk '/MemTotal/ { print int($2 / 1048576 + 0.5) }' /proc/meminfo) GiB, Linux $(uname -r); load average when it began: $(cut -d' ' -f1-3 /proc/loadavg)."
  echo "cycles: $E2E_FIRST_REQUESTS, TarsBackends on one listener: $E2E_CROWD, minutes at rest: $REST_MINUTES."
  echo
} >"$output"
status=0
go run github.com/onsi/ginkgo/v2/ginkgo run -v --timeout=3h --focus "$pattern" ./test/e2e 2>&1 | tee -a "$output" || status=$?
if [[ -s $E2E_FIRST_REQUESTS_FILE && $pattern == *"first request"* ]]; then
  { echo && echo 'Each cycle (apply -> kubectl wait -> the first request, of another process -> delete):' && cat "$E2E_FIRST_REQUESTS_FILE"; } >>"$output"
fi
if ((status == 0)) && [[ $E2E_FIRST_REQUESTS/$E2E_CROWD/$REST_MINUTES == 200/100/10 ]]; then
  sed "s#$PWD/#./#g; s#$HOME/#~/#g" "$output" >"docs/evidence/${figure/all/figures}.txt"
  rm -f "$E2E_FIRST_REQUESTS_FILE"
  echo "wrote docs/evidence/${figure/all/figures}.txt"
fi
exit "$status"
