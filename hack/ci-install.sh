#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that the suites need, where they are missing. As
# a user, or without apt-get, it only says which.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
# need PACKAGE COMMAND...: the command fails where the package is missing.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

need gcc command -v gcc
need libc6-dev test -e /usr/include/stdlib.h
need make command -v make
need git command -v git
need curl command -v curl
need shellcheck command -v shellcheck
need python3 command -v python3
need python3-pip python3 -m pip --version
need ca-certificates test -s /etc/ssl/certs/ca-certificates.crt

if ((${#missing[@]} > 0)); then
  if [[ $EUID != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "packages are missing: ${missing[*]}; install them, as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  apt-get install --yes --no-install-recommends "${missing[@]}"
fi

# What the local cluster needs, and whether this machine can run it.
if [[ $EUID == 0 ]] && command -v apt-get >/dev/null; then
  exec test/cluster/cluster preflight --install
fi
exec test/cluster/cluster preflight
