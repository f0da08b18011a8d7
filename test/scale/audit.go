// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// request is one of the manager's, as the API server's audit log has it.
type request struct {
	Verb      string
	ObjectRef struct{ Resource, Subresource, Namespace, Name string }
}

// kind is what requests are counted by.
func (r request) kind() string {
	what := r.ObjectRef.Resource
	if r.ObjectRef.Subresource != "" {
		what += "/" + r.ObjectRef.Subresource
	}
	return r.Verb + " " + what
}

// lease tells whether it is about the leader's Lease.
func (r request) lease() bool { return r.ObjectRef.Resource == "leases" }

// writes tells whether it changes something.
func (r request) writes() bool {
	return !slices.Contains([]string{"get", "list", "watch"}, r.Verb)
}

// audit reads the log from where it was read before.
func (c *cluster) audit(from int64) (all []request, end int64, err error) {
	file, err := os.Open(c.auditLog())
	if err != nil {
		return nil, from, fmt.Errorf("reading the audit log: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, from, fmt.Errorf("reading the audit log: %w", err)
	}
	lines := bufio.NewReader(file)
	for end = from; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return all, end, nil // what is not whole yet is read next time
		}
		end += int64(len(line))
		var r request
		if err := json.NewDecoder(strings.NewReader(line)).Decode(&r); err != nil {
			return nil, from, fmt.Errorf("reading the audit log: %w", err)
		}
		all = append(all, r)
	}
}

// counted counts requests by kind.
func counted(all []request) map[string]int {
	n := map[string]int{}
	for _, r := range all {
		n[r.kind()]++
	}
	return n
}
