// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Result is what there is to say about one TarsBackend.
type Result struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ready is the status's word; absent where only files were looked at.
	Ready *bool `json:"ready,omitempty"`
	// Problem is the first thing that keeps it from being Ready.
	Problem *Problem `json:"problem,omitempty"`
	// Complaints are mistakes that were seen in the objects, Ready or not.
	Complaints []Complaint `json:"complaints,omitempty"`
	// Unseen is what could not be looked at, and why.
	Unseen []string `json:"unseen,omitempty"`
}

// Problem is a thing that keeps a TarsBackend from being Ready.
type Problem struct {
	// Layer is where on the way from an app to TARS it is.
	Layer string `json:"layer"`
	// Reason is that of the condition Ready, or one of ours about the manager.
	Reason string `json:"reason"`
	// Message says what is wrong with which object.
	Message string `json:"message"`
	// Fix says what to do.
	Fix string `json:"fix,omitempty"`
	// Look is a command that shows more.
	Look string `json:"look,omitempty"`
}

// Complaint is a mistake.
type Complaint struct {
	// Name tells complaints apart: that of a lint in docs/cli.md, or a reason
	// in docs/runbook.md.
	Name string `json:"name"`
	// Field is the one to change; empty: the message names the object.
	Field string `json:"field,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
}

// good says that there is nothing to do.
func (r Result) good() bool {
	return (r.Ready == nil || *r.Ready) && r.Problem == nil && len(r.Complaints) == 0
}

// text is the report for a human.
func (r Result) text() string {
	var out strings.Builder
	row := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&out, "  %-10s %s\n", label, text)
		}
	}
	fmt.Fprintf(&out, "%s/%s: %s\n", r.Namespace, r.Name, r.verdict())
	if p := r.Problem; p != nil {
		row("layer", p.Layer)
		row("what", p.Message)
		row("fix", p.Fix)
		row("look", p.Look)
	}
	for _, c := range r.Complaints {
		text := c.Name + ": " + c.Message
		if c.Field != "" {
			text = c.Field + ": " + text
		}
		row("complaint", text)
	}
	for _, u := range r.Unseen {
		row("unseen", u)
	}
	return out.String()
}

func (r Result) verdict() string {
	complaints := "no complaint"
	switch n := len(r.Complaints); n {
	case 0:
	case 1:
		complaints = "1 complaint"
	default:
		complaints = fmt.Sprintf("%d complaints", n)
	}
	switch {
	case r.Ready == nil:
		return complaints
	case *r.Ready:
		return "Ready, " + complaints
	case r.Problem != nil:
		return fmt.Sprintf("not Ready (%s), %s", r.Problem.Reason, complaints)
	default:
		return "not Ready, " + complaints
	}
}

// Formats of the output.
const (
	formatText = "text"
	formatJSON = "json"
)

// write prints all reports.
func write(out io.Writer, format string, reports []Result) error {
	var content []byte
	switch format {
	case formatJSON:
		list := struct {
			Items []Result `json:"items"`
		}{reports}
		encoded, err := json.MarshalIndent(list, "", "  ")
		if err != nil {
			return fmt.Errorf("writing the reports: %w", err)
		}
		content = append(encoded, '\n')
	default:
		for _, r := range reports {
			content = append(content, r.text()...)
		}
	}
	if _, err := out.Write(content); err != nil {
		return fmt.Errorf("writing the reports: %w", err)
	}
	return nil
}
