// SPDX-License-Identifier: Apache-2.0

package metrics

import "sync"

const (
	// maxLearned is the number of models that become labels because TARS
	// answered for them.
	maxLearned = 200
	// Other is the label of every model beyond, and of what a request does that asks
	// for none.
	Other = "_other"
)

// modelLabels bounds the values of model labels: clients choose the names
// that they ask for, and must not be able to mint time series.
type modelLabels struct {
	mu      sync.RWMutex
	known   map[string]bool
	learned int
}

func newModelLabels(names []string) *modelLabels {
	l := &modelLabels{known: map[string]bool{}}
	for _, name := range names {
		l.known[name] = true
	}
	return l
}

// label returns the label for a model. Only a successful answer teaches new
// names.
func (l *modelLabels) label(model string, success bool) string {
	if model == "" {
		return Other
	}
	l.mu.RLock()
	known := l.known[model]
	l.mu.RUnlock()
	if known || success && l.learn(model) {
		return model
	}
	return Other
}

func (l *modelLabels) learn(model string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known[model] {
		return true
	}
	if l.learned >= maxLearned {
		return false
	}
	l.learned++
	l.known[model] = true
	return true
}
