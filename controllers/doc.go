// SPDX-License-Identifier: Apache-2.0

// Package controllers reconciles TarsBackends. It is the only package that
// talks to the API server; what should exist is decided in desired, what the
// status says in conditions, and what the Envoys answer in canary.
package controllers
