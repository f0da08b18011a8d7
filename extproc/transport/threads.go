// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"runtime"
	"sync/atomic"
)

// threads are those that may wait for one connection each: all but one of GOMAXPROCS.
type threads struct{ taken atomic.Int32 }

// take tells whether there was one left.
func (t *threads) take() bool {
	if int(t.taken.Add(1)) < runtime.GOMAXPROCS(0) {
		return true
	}
	t.give()
	return false
}

func (t *threads) give() { t.taken.Add(-1) }
