#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make demo and make demo-down; see test/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v go >/dev/null; then
  echo "the demo is built with Go, which is not in PATH: install the version that go.mod names" >&2
  exit 1
fi
exec go run ./test/demo "$@"
