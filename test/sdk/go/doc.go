// SPDX-License-Identifier: Apache-2.0

// Package sdk holds the tests of OpenAI's and Anthropic's SDKs for Go against
// a real Envoy with the external processor and the stand-in for TARS. It is a
// module of its own, so that the operator does not depend on the SDKs. Those
// of the SDKs for Python are in ../python, and tell of each case at greater
// length.
package sdk
