#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs OpenAI's and Anthropic's SDKs, for Python and for Go, against a real
# Envoy with the external processor and the stand-in for TARS, and closes with
# a line that counts the tests. Needs Go, Python 3.10 or newer with pip, and no
# root. An argument picks a language: python or go. TARS_TEST_ENVOY names an
# Envoy to use instead of the one that is fetched once into the cache, PYTHON a
# Python.
set -euo pipefail
cd "$(dirname "$0")/.."

wants_python=1
wants_go=1
case ${1:-all} in
  all) ;;
  python) wants_go=0 ;;
  go) wants_python=0 ;;
  *)
    echo "there are no tests in $1: name python or go, or nothing for both" >&2
    exit 2
    ;;
esac
if ! command -v go >/dev/null; then
  echo "Go is not in PATH: install the version that go.mod names" >&2
  exit 1
fi
python=${PYTHON:-python3}
if ((wants_python)) && ! "$python" -c 'import sys, venv, pip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "$python is not Python 3.10 or newer with its modules venv and pip: install python3 and python3-pip, or set PYTHON" >&2
  exit 1
fi

cache=${TARS_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tars-operator}
reports=$PWD/.cache/test-sdk
rm -rf "$reports"
mkdir -p "$cache" "$reports"

steps=$((2 + 2 * wants_python + wants_go))
step=0
begin() {
  step=$((step + 1))
  echo "step $step of $steps: $1 (at ${SECONDS}s)"
}

begin 'Envoy'
TARS_TEST_ENVOY=${TARS_TEST_ENVOY:-$(test/cluster/cluster tool envoy)}
export TARS_TEST_ENVOY

begin 'the stage: Envoy, ext_proc and the stand-in, started by each suite'
export TARS_SDK_STAGE=$reports/stage
go build -o "$TARS_SDK_STAGE" ./test/sdk/stage

status=0
if ((wants_python)); then
  begin 'SDKs for Python'
  # One environment for each Python and each list of packages; two runs may
  # share the cache.
  venv=$cache/sdk-python-$({ "$python" -VV && cat test/sdk/python/requirements.txt; } | cksum | cut -d' ' -f1)
  exec 9>"$venv.lock"
  flock 9
  if [[ ! -e $venv/complete ]]; then
    rm -rf "$venv"
    # pip comes from outside: Debian packs ensurepip apart.
    "$python" -m venv --without-pip "$venv"
    "$python" -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check --no-cache-dir \
      --only-binary=:all: --require-hashes --requirement test/sdk/python/requirements.txt
    touch "$venv/complete"
  fi
  exec 9>&-

  begin 'tests in Python'
  (cd test/sdk/python && PYTHONDONTWRITEBYTECODE=1 TARS_SDK_LOG=$reports/stage-python.log \
    "$venv/bin/python" -m pytest --quiet --junitxml="$reports/python.xml") || status=$?
fi
if ((wants_go)); then
  begin 'tests in Go'
  (cd test/sdk/go && TARS_SDK_LOG=$reports/stage-go.log \
    go run github.com/onsi/ginkgo/v2/ginkgo run --randomize-all --fail-on-pending --fail-on-empty --timeout=10m \
    --output-dir="$reports" --junit-report=go.xml .) || status=$?
fi

# count LANGUAGE adds up its tests. Ginkgo's report has nodes of set-up and
# clean-up too: there, only [It] is a test.
all=0
bad=0
count() {
  local report=$reports/$1.xml
  if [[ ! -s $report ]]; then
    echo "the tests in $1 stopped without a report: see the output above (${SECONDS}s)" >&2
    exit 1
  fi
  all=$((all + $(grep -oE '<testcase [^>]*>' "$report" | grep -cvE 'name="\[[^I]' || true)))
  bad=$((bad + $({ grep -oE '<(failure|error|skipped)[ >/]' "$report" || true; } | wc -l)))
}
((wants_python == 0)) || count python
((wants_go == 0)) || count go
echo "make test-sdk: $((all - bad)) of $all tests passed in ${SECONDS}s; the log of Envoy and ext_proc is in .cache/test-sdk"
if ((status == 0 && bad > 0)); then
  status=1
fi
exit "$status"
