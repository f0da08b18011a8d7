// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"math"
	"strconv"
)

// MaxCount is the largest count that is believed: sums of a few stay far from
// overflow.
const MaxCount = 1 << 60

func parseCount(raw []byte) (int64, bool) {
	var n int64
	for _, c := range raw {
		if c < '0' || c > '9' {
			return parseCountSlow(raw)
		}
		digit := int64(c - '0')
		if n > (MaxCount-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, len(raw) > 0
}

// parseCountSlow reads forms such as 12.0 and 1e3.
func parseCountSlow(raw []byte) (int64, bool) {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f < 0 || f > MaxCount || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}
