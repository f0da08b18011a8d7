#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests that need no root, or those in the given folders, and closes
# with a line that counts them. KUBEBUILDER_ASSETS, TARS_TEST_ENVOY,
# TARS_TEST_PROMETHEUS and TARS_TEST_OTELCOL name an API server, an Envoy, a
# folder with prometheus and promtool and an OpenTelemetry Collector to use
# instead of those that are built and fetched once into the cache. One process a suite: some check at their end what the whole suite did
# (TEST_PROCS sets another number).
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -t 1 ]] || export GINKGO_NO_COLOR=1
reports=$PWD/.cache/test
steps=5
step=0
begin() {
  step=$((step + 1))
  echo "step $step of $steps: $1 (at ${SECONDS}s)"
}

if [[ $(go env CGO_ENABLED) != 1 ]] || ! command -v "$(go env CC)" >/dev/null; then
  echo "the race detector needs a C compiler: install gcc, or set CC" >&2
  exit 1
fi

begin 'API server and etcd'
KUBEBUILDER_ASSETS=$(hack/envtest-assets.sh)
export KUBEBUILDER_ASSETS

begin 'Envoy'
TARS_TEST_ENVOY=${TARS_TEST_ENVOY:-$(test/cluster/cluster tool envoy)}
export TARS_TEST_ENVOY

begin 'Prometheus'
if [[ -z ${TARS_TEST_PROMETHEUS:-} ]]; then
  TARS_TEST_PROMETHEUS=$(test/cluster/cluster tool prometheus)
  TARS_TEST_PROMETHEUS=${TARS_TEST_PROMETHEUS%/*}
fi
export TARS_TEST_PROMETHEUS

begin 'OpenTelemetry Collector'
TARS_TEST_OTELCOL=${TARS_TEST_OTELCOL:-$(test/cluster/cluster tool otelcol)}
export TARS_TEST_OTELCOL

begin 'tests'
rm -rf "$reports"
mkdir -p "$reports"
# suites REPORT ARGUMENT...: the suites below the folders, one after the other.
suites() {
  local report=$1
  shift
  go run github.com/onsi/ginkgo/v2/ginkgo run -r \
    --race --randomize-all --fail-on-pending --fail-on-empty --keep-going \
    --procs="${TEST_PROCS:-1}" --compilers=2 --timeout=60m --poll-progress-after=60s \
    --output-dir="$reports" --junit-report="$report.xml" "$@"
}
status=0
if (($# > 0)); then
  suites junit "$@" || status=$?
else
  # The controllers' suites mostly wait: they run beside the others.
  suites junit-controllers ./controllers >"$reports/controllers.log" 2>&1 &
  beside=$!
  suites junit-others --skip-package=test/e2e,test/sdk,controllers || status=$?
  wait "$beside" || status=$?
  cat "$reports/controllers.log"
fi

# What failed, once more and in plain text, where a log of any length ends.
awk '
  function plain(text) {
    gsub(/&#xA;/, "\n    ", text); gsub(/&#x9;/, " ", text); gsub(/&#34;/, "\"", text); gsub(/&#39;/, "\047", text)
    gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&amp;/, "\\&", text)
    return text
  }
  /<testcase /        { name = $0; sub(/.* name="/, "", name); sub(/" classname="/, " (", name); sub(/" status=".*/, ")", name) }
  /<(failure|error) / { text = $0; sub(/^[^>]*>/, "", text); sub(/<\/(failure|error)>.*/, "", text)
                        print "FAILED " plain(name) "\n    " plain(substr(text, 1, 1500)) }
' "$reports"/junit*.xml 2>/dev/null || true

# Set-up and clean-up nodes are in the report too; only [It] is a test.
count() { grep -oh "<testcase name=\"\[It\][^>]*status=\"$1\"" "$reports"/junit*.xml | wc -l || true; }
written=("$reports"/junit*.xml)
if [[ ! -s ${written[0]} ]] || ((${#written[@]} != 1 + ($# == 0))); then
  echo "ginkgo stopped without a report: see the output above (${SECONDS}s)" >&2
  exit 1
fi
ran=$(cat "$reports"/junit*.xml | grep -c '<testsuite ' || true)
passed=$(count passed)
all=$(count '[a-z]*')
echo "make test: $passed of $all specs of $ran suites passed in ${SECONDS}s"
exit "$status"
