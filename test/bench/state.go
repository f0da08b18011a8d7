// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// state is the file of a run that may be interrupted at any time.
type state struct {
	path    string
	results results
}

// openState reads the file, if there is one.
func openState(path string) (*state, error) {
	s := &state{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.results)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the raw figures: %w", err)
	}
	return s, nil
}

// begin goes on with what was measured of the same binaries on the same machine,
// and refuses to mix it with others.
func (s *state) begin(p platform) error {
	if len(s.results.Cells)+len(s.results.Void) == 0 {
		s.results = results{Platform: p}
		return nil
	}
	p.Date = s.results.Platform.Date
	if s.results.Platform != p {
		return fmt.Errorf("%s has figures of another build or machine (%+v, now %+v): move it away, or give another file with -state",
			s.path, s.results.Platform, p)
	}
	return nil
}

// has tells whether a round has the scenario of every variant.
func (s *state) has(round int, scenario string, variants []variant) bool {
	found := map[variant]bool{}
	for _, c := range s.results.Cells {
		if c.Round == round && c.Scenario == scenario {
			found[c.Variant] = true
		}
	}
	for _, v := range variants {
		if !found[v] {
			return false
		}
	}
	return true
}

// void keeps what was thrown away, and writes the file.
func (s *state) void(v voided) error {
	s.results.Void = append(s.results.Void, v)
	return writeJSON(s.path, s.results)
}

// add keeps cells, in the place of those that the round has of them, and writes
// the file.
func (s *state) add(cells []cell) error {
	for _, c := range cells {
		kept := s.results.Cells[:0]
		for _, old := range s.results.Cells {
			if old.Round != c.Round || old.Scenario != c.Scenario || old.Variant != c.Variant {
				kept = append(kept, old)
			}
		}
		s.results.Cells = append(kept, c)
	}
	return writeJSON(s.path, s.results)
}

// writeJSON replaces a file at once: a reader sees the old or the new.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", " ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path+".new", append(data, '\n'), 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
