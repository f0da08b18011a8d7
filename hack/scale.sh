#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures the operator with SCALE_BACKENDS (1000) TarsBackends (test/scale), in a
# network of its own: EndpointSlices may not hold loopback addresses, and Services'
# addresses lead nowhere without a cluster. Writes docs/evidence/scale.json for
# the whole number; fewer are printed only.
set -euo pipefail
cd "$(dirname "$0")/.."

backends=${SCALE_BACKENDS:-1000}
dir=$PWD/.cache/scale
mkdir -p "$dir"
KUBEBUILDER_ASSETS=$(hack/envtest-assets.sh)
export KUBEBUILDER_ASSETS
go build -o "$dir/tars-operator" .
go build -o "$dir/scale" ./test/scale

arguments=(-operator "$dir/tars-operator" -root "$PWD" -backends "$backends" -namespaces "$((backends < 10 ? 1 : backends / 10))")
if ((backends >= 1000)); then
  arguments+=(-out "$PWD/docs/evidence/scale.json")
else
  arguments+=(-rest 20s)
fi
unshare=(unshare --net)
if ((EUID != 0)); then
  unshare=(unshare --map-root-user --net)
fi
# shellcheck disable=SC2016 # the inner shell expands them
exec "${unshare[@]}" bash -c '
  ip link set lo up
  ip address add 192.0.2.7/32 dev lo
  ip route add local 10.0.0.0/16 dev lo
  exec "$@"' scale "$dir/scale" "${arguments[@]}" ${SCALE_REST:+-rest "$SCALE_REST"}
