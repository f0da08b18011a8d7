#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copies the CRDs, the roles, the alerts and the dashboard from config/ into the
# chart, byte for byte; its templates print from these files. Removes what config/
# does not have (any more).
set -euo pipefail
cd "$(dirname "$0")/.."

files=charts/tars-operator/files
crds=(config/crd/bases/*.yaml)
roles=(config/rbac/role.yaml config/rbac/*_role.yaml)

alerts=(config/prometheus/rules.yaml)
dashboards=(config/grafana/dashboard.json)

for source in "${crds[@]}" "${roles[@]}" "${alerts[@]}" "${dashboards[@]}"; do
  if [[ ! -f $source ]]; then
    echo "$source is missing: run make manifests first" >&2
    exit 1
  fi
done

rm -rf "$files"
mkdir -p "$files/crds" "$files/rbac" "$files/prometheus" "$files/grafana"
cp -- "${crds[@]}" "$files/crds/"
cp -- "${roles[@]}" "$files/rbac/"
cp -- "${alerts[@]}" "$files/prometheus/"
cp -- "${dashboards[@]}" "$files/grafana/"
