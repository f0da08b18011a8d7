// SPDX-License-Identifier: Apache-2.0

// Package chart holds the tests of the Helm chart, of the kustomize tree and of
// the image. It is a module of its own, so that Helm and kustomize are no
// dependencies of the operator.
//
// The chart and config/default have to render the same objects (parity), every
// value has an effect (values), no typo is accepted (schema), and a real API
// server takes the result, its pod security included (cluster).
package chart
