// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Marks of what report writes into the page.
const (
	tableBegin = "<!-- table: begin, made by make bench -->\n"
	tableEnd   = "<!-- table: end -->\n"
)

// report writes the raw figures, and the page's table made from them, into a
// folder, and prints the path of the former.
func report(args []string) error {
	set := flag.NewFlagSet("bench report", flag.ContinueOnError)
	from := set.String("state", ".cache/bench/run.json", "`file` of raw figures")
	out := set.String("out", "docs/benchmarks", "`folder` with README.md")
	if err := set.Parse(args); err != nil {
		return err
	}
	s, err := openState(*from)
	if err != nil {
		return err
	}
	if len(s.results.Cells) == 0 {
		return fmt.Errorf("%s has no figures: run make bench", *from)
	}
	path := filepath.Join(*out, s.results.Platform.Date+".json")
	if err := writeJSON(path, s.results); err != nil {
		return err
	}
	page := filepath.Join(*out, "README.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	filled, err := fill(string(text), s.results)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := os.WriteFile(page, []byte(filled), 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	fmt.Println(path)
	return nil
}

// fill puts the table between the marks of a page.
func fill(page string, r results) (string, error) {
	before, rest, begins := strings.Cut(page, tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return "", errors.New("it lacks the marks of the table")
	}
	p := r.Platform
	head := fmt.Sprintf("%s, commit `%s`, Envoy %s, %s, %s, %d cores, measurements of %s, %d thrown away.\n\n",
		p.Date, p.Commit, p.Envoy, p.Go, p.System, p.Cores, p.Window, len(r.Void))
	head += fmt.Sprintf("![Share of the floor's throughput, and CPU](%s.png)\n\n", p.Date)
	return before + tableBegin + head + table(r) + tableEnd + after, nil
}
