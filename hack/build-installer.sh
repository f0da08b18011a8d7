#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes dist/install.yaml, all that an installation by kubectl needs, with the
# given image. Works on a copy of config/, so that no file under git is edited.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:?usage: hack/build-installer.sh IMAGE}

copy=$(mktemp -d "${TMPDIR:-/tmp}/installer.XXXXXX")
trap 'rm -rf "$copy"' EXIT
cp -a config "$copy/config"
go build -modfile=hack/tools/go.mod -o "$copy/kustomize" sigs.k8s.io/kustomize/kustomize/v5

(cd "$copy/config/manager" && "$copy/kustomize" edit set image "controller=$image")
mkdir -p dist
"$copy/kustomize" build "$copy/config/default" >"$copy/install.yaml"
mv "$copy/install.yaml" dist/install.yaml
echo "dist/install.yaml installs $image"
