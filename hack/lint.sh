#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lints the Go code of the modules and the shell scripts. Modules that only put
# programs of others into one binary (test/cluster/*) are left out: a page of
# code each, and the linter would have to read all of Kubernetes for it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

if ! command -v shellcheck >/dev/null; then
  echo "shellcheck is missing: install the package shellcheck" >&2
  exit 1
fi

status=0
while IFS= read -r mod; do
  dir=$(dirname "$mod")
  [[ $dir == test/cluster/* ]] && continue
  # The module of the linter holds no code.
  [[ -z $(git ls-files --cached --others --exclude-standard -- "$dir/*.go" "$dir/**/*.go") ]] && continue
  echo "golangci-lint: $dir (at ${SECONDS}s)"
  (cd "$dir" && go tool -modfile="$root/hack/tools/lint/go.mod" golangci-lint run --config "$root/.golangci.yml") || status=1
done < <(git ls-files --cached --others --exclude-standard -- go.mod '**/go.mod')

echo "shellcheck (at ${SECONDS}s)"
scripts=()
while IFS= read -r -d '' file; do
  if [[ -f $file ]] && head -n 1 -- "$file" | grep -qE '^#!.*\b(ba)?sh\b'; then
    scripts+=("$file")
  fi
done < <(git ls-files -z --cached --others --exclude-standard)
shellcheck -- "${scripts[@]}" || status=1

if ((status == 0)); then
  echo "make lint: no complaints in ${SECONDS}s"
fi
exit "$status"
