// SPDX-License-Identifier: Apache-2.0

// Package crd holds the CRD of the TarsBackend, for what has to know its schema
// without an API server.
package crd

import _ "embed"

// TarsBackends is the CRD as YAML, as it is installed.
//
//go:embed bases/gateway.tars.dev_tarsbackends.yaml
var TarsBackends []byte
