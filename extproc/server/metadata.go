// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/tars-operator/tars-operator/extproc/usage"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// facts are what the dynamic metadata says.
type facts struct {
	counts                        usage.Counts
	asked, model, answered        string
	operation, source, errorClass string
}

// metadata is what Envoy was told of the facts. Envoy adds what is new to what it
// has, so each reply carries only what has changed: in a stream, one number.
type metadata struct {
	facts   facts
	told    bool        // anything, yet
	changes []wire.Fact // the latest, whose memory the next take over
}

// news is what Envoy does not know, nil for nothing.
func (m *metadata) news(s *session) []wire.Fact {
	counts := s.counts()
	if m.told && m.onlyMore(s, counts) {
		before := m.facts.counts
		m.facts.counts = counts
		if counts.Total == before.Total {
			return nil
		}
		m.changes = append(m.changes[:0], wire.Number("total_tokens", counts.Total))
		return m.changes
	}
	now := facts{
		counts: counts, asked: s.req.asked, model: s.req.model, answered: s.tally.Model(),
		source: s.result.source, errorClass: s.result.class,
	}
	if op := s.req.target.Operation; op != nil {
		now.operation = op.Name
	}
	if m.told && m.facts == now {
		return nil
	}
	m.changes = now.changes(m.changes[:0], m.facts, !m.told)
	m.facts, m.told = now, true
	return m.changes
}

// onlyMore tells whether nothing has changed but, perhaps, the numbers of an estimate: as
// with most pieces of a stream.
func (m *metadata) onlyMore(s *session, counts usage.Counts) bool {
	f := &m.facts
	return !counts.Known && !f.counts.Known && counts.Estimated == f.counts.Estimated &&
		f.answered == s.tally.Model() && f.asked == s.req.asked && f.model == s.req.model &&
		f.source == s.result.source && f.errorClass == s.result.class
}

// changes appends the fields that differ from those before; first says that there are
// none before.
func (f facts) changes(changes []wire.Fact, before facts, first bool) []wire.Fact {
	number := func(name string, now, before int64, first bool) {
		if first || now != before {
			changes = append(changes, wire.Number(name, now))
		}
	}
	text := func(name, now, before string) {
		if now != before {
			changes = append(changes, wire.Text(name, now))
		}
	}
	// Always a number: a limit that finds none charges nothing.
	number("total_tokens", f.counts.Total, before.counts.Total, first)
	if f.operation != "" && (first || f.counts.Estimated != before.counts.Estimated) {
		changes = append(changes, wire.Truth("estimated", f.counts.Estimated))
	}
	if f.counts.Known {
		first := !before.counts.Known
		number("input_tokens", f.counts.Input, before.counts.Input, first)
		number("output_tokens", f.counts.Output, before.counts.Output, first)
		number("cached_input_tokens", f.counts.CachedInput, before.counts.CachedInput, first)
		number("cache_creation_input_tokens", f.counts.CacheCreation, before.counts.CacheCreation, first)
		number("reasoning_tokens", f.counts.Reasoning, before.counts.Reasoning, first)
	}
	text("requested_model", f.asked, before.asked)
	text("model", f.model, before.model)
	text("response_model", f.answered, before.answered)
	text("operation", f.operation, before.operation)
	text("error_source", f.source, before.source)
	text("error_class", f.errorClass, before.errorClass)
	return changes
}
