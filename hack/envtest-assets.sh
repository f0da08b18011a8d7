#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the directory that holds the apiserver, etcd and kubectl for envtest.
# Builds them once from pinned Go modules into the cache; needs no root.
# KUBEBUILDER_ASSETS, where it holds them, wins.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  for program in etcd kube-apiserver kubectl; do
    if [[ ! -x $KUBEBUILDER_ASSETS/$program ]]; then
      echo "KUBEBUILDER_ASSETS is set to $KUBEBUILDER_ASSETS, which holds no program $program: unset it to build the pinned ones" >&2
      exit 1
    fi
  done
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

exec test/cluster/cluster tool kube
