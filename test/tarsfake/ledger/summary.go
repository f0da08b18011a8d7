// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"strconv"

	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// maxLabels bounds the number of models and keys that are summed apart; the
// rest is summed as otherLabel.
const (
	maxLabels  = 1000
	otherLabel = "_other"
)

// Sum is what some requests come to.
type Sum struct {
	Requests int64 `json:"requests"`
	// Answered is what they cost, Sent the part that clients were told.
	Answered tokens.Usage `json:"answered"`
	Sent     tokens.Usage `json:"sent"`
}

func (s Sum) plus(other Sum) Sum {
	return Sum{Requests: s.Requests + other.Requests, Answered: s.Answered.Add(other.Answered), Sent: s.Sent.Add(other.Sent)}
}

// Summary is what all requests come to.
type Summary struct {
	Sum
	BodyBytes int64 `json:"bodyBytes"`
	// Outcomes and Statuses count requests; status "0" is no answer.
	Outcomes map[string]int64 `json:"outcomes"`
	Statuses map[string]int64 `json:"statuses"`
	// Paths, Models (those that answered) and Keys (fingerprints) are sums of
	// their requests.
	Paths  map[string]Sum `json:"paths"`
	Models map[string]Sum `json:"models"`
	Keys   map[string]Sum `json:"keys"`
}

// filled has no nil maps, which JSON would show as null.
func (s Summary) filled() Summary {
	for _, counts := range []*map[string]int64{&s.Outcomes, &s.Statuses} {
		if *counts == nil {
			*counts = map[string]int64{}
		}
	}
	for _, sums := range []*map[string]Sum{&s.Paths, &s.Models, &s.Keys} {
		if *sums == nil {
			*sums = map[string]Sum{}
		}
	}
	return s
}

func (s *Summary) add(e Entry) {
	one := Sum{Requests: 1}
	if e.Usage != nil {
		one.Answered = *e.Usage
		if e.UsageSent {
			one.Sent = *e.Usage
		}
	}
	*s = s.filled()
	s.Sum = s.plus(one)
	s.BodyBytes += e.BodyBytes
	s.Outcomes[string(e.Outcome)]++
	s.Statuses[strconv.Itoa(e.Status)]++
	addTo(s.Paths, e.Path, one)
	addTo(s.Models, e.ModelAnswered, one)
	addTo(s.Keys, e.Key, one)
}

func addTo(sums map[string]Sum, label string, one Sum) {
	if label == "" {
		return
	}
	apart := len(sums)
	if _, used := sums[otherLabel]; used {
		apart--
	}
	if _, known := sums[label]; !known && apart >= maxLabels {
		label = otherLabel
	}
	sums[label] = sums[label].plus(one)
}

func (s *Summary) merge(other Summary) {
	*s = s.filled()
	s.Sum = s.plus(other.Sum)
	s.BodyBytes += other.BodyBytes
	for outcome, count := range other.Outcomes {
		s.Outcomes[outcome] += count
	}
	for status, count := range other.Statuses {
		s.Statuses[status] += count
	}
	for _, pair := range []struct{ into, from map[string]Sum }{
		{s.Paths, other.Paths}, {s.Models, other.Models}, {s.Keys, other.Keys},
	} {
		for label, sum := range pair.from {
			addTo(pair.into, label, sum)
		}
	}
}
