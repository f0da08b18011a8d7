// SPDX-License-Identifier: Apache-2.0

// Command dashboard writes the Grafana dashboard as JSON.
//
//	dashboard >dashboard.json
//
// Its queries are run in test/observability against a real Prometheus.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// uid names the dashboard in its URL, the same in every Grafana.
const uid = "tars-operator"

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	built, err := build()
	if err != nil {
		return fmt.Errorf("building the dashboard: %w", err)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(built); err != nil {
		return fmt.Errorf("writing the dashboard: %w", err)
	}
	return nil
}

// build puts the rows together: what is wrong now comes first.
func build() (dashboard.Dashboard, error) {
	b := &builder{dashboard: dashboard.NewDashboardBuilder("TARS operator").
		Uid(uid).
		Description("Traffic to TARS, its tokens, and the TarsBackends that it takes. Metrics: docs/metrics.md of TARS operator.").
		Tags([]string{"tars"}).
		Readonly().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-3h", "now").
		Refresh("30s").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		WithVariable(dashboard.NewQueryVariableBuilder("tarsbackend").
			Label("TarsBackend").
			Datasource(source()).
			Query(dashboard.StringOrMap{String: new("label_values(tars_requests_in_flight, tarsbackend)")}).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
			Sort(dashboard.VariableSortAlphabeticalAsc).
			Multi(true).
			IncludeAll(true).
			AllValue(".*"))}
	b.now()
	b.requests()
	b.time()
	b.tokens()
	b.extProc()
	return b.dashboard.Build()
}

// source is the Prometheus that the user chooses.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}
