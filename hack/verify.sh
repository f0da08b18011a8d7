#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Regenerates everything in a copy of the tree and fails on any difference and
# any file that is new or gone, with the command that mends it. Works on a tree
# with uncommitted changes and writes nothing into it.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD

copy=$(mktemp -d "${TMPDIR:-/tmp}/verify.XXXXXX")
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/is" "$copy/should"

# What git knows, and what it would know after git add.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do
    if [[ -e $file || -L $file ]]; then printf '%s\0' "$file"; fi
  done |
  tar --create --null --files-from=- | tar --extract --directory="$copy/is"
cp -a "$copy/is/." "$copy/should"

steps=9
step=0
failed=()

begin() {
  step=$((step + 1))
  echo "step $step of $steps: $1 (at ${SECONDS}s)"
}

# fail NAME REMEDY: remember it, go on with the next step.
fail() {
  failed+=("$1")
  echo "FAILED: $1; to mend it: $2" >&2
}

# regenerate NAME REMEDY COMMAND...: run the command in the copy, whatever it
# changes was out of date. The next step then starts from what it made.
regenerate() {
  local name=$1 remedy=$2
  shift 2
  begin "$name"
  if ! (cd "$copy/should" && "$@") >"$copy/log" 2>&1; then
    cat "$copy/log" >&2
    fail "$name could not be generated" "see the error above"
  fi
  if ! (cd "$copy" && diff -ruN is should); then
    fail "$name is out of date" "$remedy"
    rm -rf "$copy/is"
    cp -a "$copy/should" "$copy/is"
  fi
}

# Outputs are removed first, so that one without a source is seen.
deepcopy() {
  find . -name 'zz_generated.*' -delete
  make generate
}
manifests() {
  rm -f config/crd/bases/*.yaml config/rbac/role.yaml
  make manifests
}

regenerate 'the DeepCopy code' 'make generate' deepcopy
regenerate 'the CRD or the role' 'make manifests' manifests
regenerate 'the dashboard' 'make dashboard sync' make dashboard
regenerate 'the chart' 'make sync' make sync
regenerate 'docs/api.md or the README of the chart' 'make docs' make docs
regenerate 'a golden file' 'make goldens, and read what changed' make goldens

begin 'go.mod and go.sum of every module'
while IFS= read -r mod; do
  dir=$(dirname "$mod")
  if ! (cd "$copy/should/$dir" && go mod tidy -diff); then
    fail "$dir/go.mod is not tidy" "(cd $dir && go mod tidy)"
  fi
done < <(cd "$copy/should" && find . -name go.mod -printf '%P\n')

begin 'format of the code'
unformatted=$(cd "$copy/should" && gofmt -l -s .)
if [[ -n $unformatted ]]; then
  echo "$unformatted"
  fail 'code is not formatted' 'make fmt'
fi

begin 'size of the files'
while IFS= read -r file; do
  limit=400
  [[ $file == *_test.go ]] && limit=600
  [[ ${file##*/} == zz_generated.* ]] && continue
  lines=$(wc -l <"$copy/should/$file")
  if ((lines > limit)); then
    fail "$file has $lines lines, more than $limit" 'split it by subject'
  fi
done < <(cd "$copy/should" && find . -name '*.go' -printf '%P\n')

if ((${#failed[@]} > 0)); then
  echo "make verify: ${#failed[@]} things are wrong in $tree after ${SECONDS}s:" >&2
  printf '  %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "make verify: everything generated is up to date in ${SECONDS}s"
