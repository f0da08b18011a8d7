#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rewrites the golden files of every package that has some: its tests know the
# flag -update. Outputs that no case asks for any more disappear.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t packages < <(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -r -n 1 dirname | sort -u)
if ((${#packages[@]} == 0)); then
  echo "no package has golden files"
  exit 0
fi
for package in "${packages[@]}"; do
  if [[ -d $package/testdata ]]; then
    find "$package/testdata" -name '*.out.*' -delete
  fi
  go test -count=1 "$package" -args -update
done
