// SPDX-License-Identifier: Apache-2.0

// Command plot draws the raw figures of a benchmark: above, the throughput as a
// share of Envoy's alone; below, ext_proc's CPU time for a request as a multiple of
// what one takes that does nothing. Bars are medians over the rounds. It is a module of its own because of what it
// draws with.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	width, height = 30 * vg.Centimeter, 22 * vg.Centimeter
	barWidth      = 12
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: plot <figures.json> <out.png>")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("reading the figures: %w", err)
	}
	var f figures
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("reading %s: %w", args[0], err)
	}
	above, err := bars("Share of the throughput of Envoy alone", f, share)
	if err != nil {
		return err
	}
	below, err := bars("CPU time of ext_proc for a request, as a multiple of noop's", f, effort)
	if err != nil {
		return err
	}
	return save(args[1], above, below)
}

// variants are what is drawn, with their colours.
func variants() []struct {
	name   string
	colour color.Color
} {
	return []struct {
		name   string
		colour color.Color
	}{
		{"noop", color.Gray{Y: 170}},
		{"before", color.RGBA{R: 230, G: 159, A: 255}},
		{"ours", color.RGBA{G: 114, B: 178, A: 255}},
	}
}

func bars(title string, f figures, value func(f figures, scenario, variant string) float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	scenarios := f.scenarios()
	for i, v := range variants() {
		values := make(plotter.Values, 0, len(scenarios))
		for _, s := range scenarios {
			values = append(values, value(f, s, v.name))
		}
		if !drawn(values) {
			continue
		}
		chart, err := plotter.NewBarChart(values, vg.Points(barWidth))
		if err != nil {
			return nil, fmt.Errorf("drawing %s: %w", v.name, err)
		}
		chart.Color, chart.LineStyle.Width = v.colour, 0
		chart.Offset = vg.Points(barWidth) * vg.Length(i-1)
		p.Add(chart)
		p.Legend.Add(v.name, chart)
	}
	p.Add(plotter.NewGrid())
	p.Legend.Top = true
	p.Y.Max *= 1.2 // room for the legend
	p.NominalX(scenarios...)
	p.X.Tick.Label.Rotation = 0.5
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YTop
	return p, nil
}

func drawn(values plotter.Values) bool {
	for _, v := range values {
		if v > 0 {
			return true
		}
	}
	return false
}

// save draws one plot above the other.
func save(path string, above, below *plot.Plot) (err error) {
	canvas := vgimg.New(width, height)
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadTop: vg.Centimeter, PadBottom: vg.Centimeter, PadLeft: 2 * vg.Centimeter, PadRight: vg.Centimeter}
	all := draw.New(canvas)
	above.Draw(tiles.At(all, 0, 0))
	below.Draw(tiles.At(all, 0, 1))
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the plot: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(file); err != nil {
		return fmt.Errorf("writing the plot: %w", err)
	}
	return nil
}
