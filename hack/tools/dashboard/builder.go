// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Sizes on Grafana's grid, which is 24 wide.
const (
	third, half = 8, 12
	low, high   = 4, 8
)

// ours narrows a query to the chosen TarsBackends.
const ours = `tarsbackend=~"$tarsbackend"`

// builder adds panels in their order and numbers them.
type builder struct {
	dashboard *dashboard.DashboardBuilder
	last      uint32
}

// query is one of a panel, with the text of its legend.
type query struct{ expr, legend string }

// panel is what every kind of panel has.
type panel struct {
	title, help, unit string
	width             uint32
	queries           []query
}

func (b *builder) id() uint32 {
	b.last++
	return b.last
}

func (b *builder) row(title string) {
	b.dashboard.WithRow(dashboard.NewRowBuilder(title).Id(b.id()))
}

// graph shows values over time; the axis begins at 0.
func (b *builder) graph(p panel) {
	g := timeseries.NewPanelBuilder().
		Id(b.id()).Title(p.title).Description(p.help).Unit(p.unit).Datasource(source()).
		Span(p.width).Height(high).Min(0).FillOpacity(10).
		Legend(common.NewVizLegendOptionsBuilder().
			DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementBottom).ShowLegend(true).
			Calcs([]string{"lastNotNull", "max"}))
	for i, q := range p.queries {
		g.WithTarget(target(i, q).Range())
	}
	b.dashboard.WithPanel(g)
}

// number shows one value of now, red from a limit on; 0: there is none.
func (b *builder) number(p panel, limit float64) {
	steps := []dashboard.Threshold{{Color: "green"}}
	if limit > 0 {
		steps = append(steps, dashboard.Threshold{Value: new(limit), Color: "red"})
	}
	s := stat.NewPanelBuilder().
		Id(b.id()).Title(p.title).Description(p.help).Unit(p.unit).Datasource(source()).
		Span(p.width).Height(low).
		GraphMode(common.BigValueGraphModeArea).ColorMode(common.BigValueColorModeBackground).
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps))
	for i, q := range p.queries {
		s.WithTarget(target(i, q).Range())
	}
	b.dashboard.WithPanel(s)
}

// list shows the labels of series of now, one a line, and their value in a
// column of that name; without one it is left out.
func (b *builder) list(p panel, value string) {
	hidden := map[string]any{"Time": true}
	names := map[string]any{}
	if value == "" {
		hidden["Value"] = true
	} else {
		names["Value"] = value
	}
	t := table.NewPanelBuilder().
		Id(b.id()).Title(p.title).Description(p.help).Unit(p.unit).Datasource(source()).
		Span(p.width).Height(high).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": hidden, "renameByName": names,
		}})
	for i, q := range p.queries {
		t.WithTarget(target(i, q).Instant().Format(prometheus.PromQueryFormatTable))
	}
	b.dashboard.WithPanel(t)
}

func target(i int, q query) *prometheus.DataqueryBuilder {
	t := prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Expr(q.expr).Datasource(source())
	if q.legend != "" {
		t.LegendFormat(q.legend)
	}
	return t
}

// rate is the increase a second of the chosen TarsBackends' counters, added up
// by labels, with further matchers.
func rate(by, metric string, matchers ...string) string {
	selector := strings.Join(append([]string{ours}, matchers...), ",")
	sum := "sum"
	if by != "" {
		sum = "sum by (" + by + ") "
	}
	return fmt.Sprintf("%s(rate(%s{%s}[$__rate_interval]))", sum, metric, selector)
}

// quantiles are those of a histogram over all chosen TarsBackends.
func quantiles(histogram string, of ...float64) []query {
	list := make([]query, 0, len(of))
	for _, q := range of {
		list = append(list, query{
			expr:   fmt.Sprintf("histogram_quantile(%v, %s)", q, rate("le", histogram+"_bucket")),
			legend: fmt.Sprintf("p%v", q*100),
		})
	}
	return list
}
