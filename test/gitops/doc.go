// SPDX-License-Identifier: Apache-2.0

// Package gitops holds no code: its tests ask what tools that apply TarsBackends
// from Git make of a status. Argo CD goes by the Lua of docs/gitops.md, which
// a Lua interpreter runs here; Flux and others go by kstatus.
package gitops
