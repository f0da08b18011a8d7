// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"strconv"
	"strings"
)

// OlderThan compares versions of numbers and dots, such as "2.36". What is no
// number counts as 0, and so does what is left out.
func OlderThan(version, limit string) bool {
	a, b := strings.Split(version, "."), strings.Split(limit, ".")
	for n := range max(len(a), len(b)) {
		if x, y := number(a, n), number(b, n); x != y {
			return x < y
		}
	}
	return false
}

func number(parts []string, n int) int {
	if n >= len(parts) {
		return 0
	}
	value, err := strconv.Atoi(parts[n])
	if err != nil {
		return 0
	}
	return value
}
