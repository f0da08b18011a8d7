// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// maxRules bounds the memory that the admin API can fill.
const maxRules = 1000

// Always is Rule.Next of a rule for all requests until it is deleted.
const Always = -1

// Rule asks for a behaviour of requests to come.
type Rule struct {
	// Next is how many requests it is for: 1 when 0, Always for all.
	Next int `json:"next"`
	// Path and Key, when set, narrow it to requests of exactly this path and
	// to a key of this fingerprint.
	Path string `json:"path,omitempty"`
	Key  string `json:"key,omitempty"`
	// Set are the settings.
	Set Settings `json:"set"`
}

// Queue holds the rules for requests to come. The zero value is empty.
type Queue struct {
	mu    sync.Mutex
	rules []Rule
}

// Add puts a rule behind those that are there.
func (q *Queue) Add(rule Rule) error {
	if rule.Next == 0 {
		rule.Next = 1
	}
	if rule.Next < Always {
		return fmt.Errorf("next: %d is neither a number of requests nor %d for all", rule.Next, Always)
	}
	if len(rule.Set) == 0 {
		return errors.New("set: name at least one setting")
	}
	if _, err := Parse(rule.Set); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.rules) >= maxRules {
		return fmt.Errorf("there are %d rules already: delete them first", maxRules)
	}
	q.rules = append(q.rules, rule)
	return nil
}

// Take returns the settings for a request that arrived now: those of the
// first rule that is for it, which then counts it.
func (q *Queue) Take(path, key string) Settings {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.rules, func(r Rule) bool {
		return (r.Path == "" || r.Path == path) && (r.Key == "" || r.Key == key)
	})
	if i < 0 {
		return nil
	}
	settings := q.rules[i].Set
	if q.rules[i].Next != Always {
		q.rules[i].Next--
	}
	if q.rules[i].Next == 0 {
		q.rules = slices.Delete(q.rules, i, i+1)
	}
	return settings
}

// List returns the rules that wait, with what is left of them.
func (q *Queue) List() []Rule {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]Rule{}, q.rules...)
}

// Clear deletes all rules.
func (q *Queue) Clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rules = nil
}
