// SPDX-License-Identifier: Apache-2.0

// Package trace makes an OpenTelemetry span of each request and exports it by
// OTLP. It is set up by the standard environment variables (OTEL_*, see the
// OpenTelemetry specification, "SDK environment variables") and off without an
// endpoint. A span joins the trace that the app's traceparent names (W3C Trace
// Context), and its own goes on to TARS.
//
// Spans hold names, numbers and sizes: never a prompt, a completion or a key.
package trace
