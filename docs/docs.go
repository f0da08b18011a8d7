// SPDX-License-Identifier: Apache-2.0

// Package docs holds the documents that the program quotes.
package docs

import _ "embed"

// Runbook is docs/runbook.md.
//
//go:embed runbook.md
var Runbook string
