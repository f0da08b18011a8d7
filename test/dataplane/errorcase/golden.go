// SPDX-License-Identifier: Apache-2.0

package errorcase

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// seconds differ from run to run.
var seconds = regexp.MustCompile(`((x-ratelimit-reset|retry-after): )\d+`)

// hash is that of a TarsBackend's children.
var hash = regexp.MustCompile(`(x-tarsbackend-route-hash: ).+`)

// Golden is an answer without what is different each time. The request's id is
// the one that the answer tells: Envoy Gateway's Envoys make their own.
func (r Reply) Golden() string {
	var lines []string
	for name, values := range r.Header {
		switch name = strings.ToLower(name); name {
		case "date", "content-length":
		default:
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	text := fmt.Sprintf("%d\n%s\n\n%s\n", r.Status, strings.Join(lines, "\n"), r.Body)
	if id := r.Header.Get("x-request-id"); id != "" {
		text = strings.ReplaceAll(text, id, "{id}")
	}
	text = hash.ReplaceAllString(text, "$1{hash}")
	return seconds.ReplaceAllString(text, "$1{seconds}")
}

// File is the golden file of a case, below the folder of this package.
func (c Case) File(a API) string {
	return filepath.Join("testdata", a.Name, c.Name+".txt")
}
