// SPDX-License-Identifier: Apache-2.0

// Command scale measures the operator with many TarsBackends: a real API server, the
// operator's binary as the user that its chart binds it to, and stubs for Envoy
// Gateway, the Deployment controller and every Envoy. No pod runs and no Envoy
// translates anything, so the figures are the operator's alone: what a hundred of
// them cost a real Envoy is another question.
//
// It needs a network of its own, in which every address leads to the stub
// (hack/scale.sh makes one).
package main
