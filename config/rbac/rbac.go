// SPDX-License-Identifier: Apache-2.0

// Package rbac holds the manager's role, for what has to know what the manager
// may do.
package rbac

import _ "embed"

// ManagerRole is the ClusterRole manager-role as YAML, as controller-gen makes
// it from the markers in controllers.
//
//go:embed role.yaml
var ManagerRole []byte
