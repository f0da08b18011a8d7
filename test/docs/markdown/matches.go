// SPDX-License-Identifier: Apache-2.0

package markdown

import (
	"regexp"
	"strings"
)

// ellipsis stands in a document for what differs from one run to the next.
const ellipsis = "..."

// Matches reports whether a command printed what the document says: the same
// lines, where "..." stands for any text, a line of it alone for any lines.
// Runs of spaces count as one, since tables have columns as wide as their words.
func (c Command) Matches(printed string) bool {
	var pattern strings.Builder
	pattern.WriteString(`^\s*`)
	for line := range strings.SplitSeq(strings.TrimSpace(c.Prints), "\n") {
		if strings.TrimSpace(line) == ellipsis {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		for n, part := range strings.Split(strings.TrimSpace(spaces.ReplaceAllString(line, " ")), ellipsis) {
			if n > 0 {
				pattern.WriteString(`.*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString(`\n`)
	}
	pattern.WriteString(`$`)
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(printed), "\n") {
		lines = append(lines, strings.TrimSpace(spaces.ReplaceAllString(line, " ")))
	}
	return regexp.MustCompile(pattern.String()).MatchString(strings.Join(lines, "\n") + "\n")
}

var spaces = regexp.MustCompile(`[ \t\r]+`)
