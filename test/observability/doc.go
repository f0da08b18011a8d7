// SPDX-License-Identifier: Apache-2.0

// Package observability runs what watches the operator and the external
// processor: the alerts in promtool, and every query of alerts and dashboard in
// a real Prometheus that scrapes real traffic.
package observability
