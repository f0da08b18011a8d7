// SPDX-License-Identifier: Apache-2.0

package server

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/usage"
)

// facts are what the dynamic metadata says.
type facts struct {
	counts                        usage.Counts
	asked, model, answered        string
	operation, source, errorClass string
}

// metadata renders the facts, again only when they have changed: every piece
// of a stream carries them.
type metadata struct {
	facts    facts
	rendered *structpb.Struct
}

func (m *metadata) get(s *session) *structpb.Struct {
	now := facts{
		counts: s.counts(), asked: s.req.asked, model: s.req.model, answered: s.tally.Model(),
		source: s.result.source, errorClass: s.result.class,
	}
	if op := s.req.target.Operation; op != nil {
		now.operation = op.Name
	}
	if m.rendered == nil || m.facts != now {
		m.facts, m.rendered = now, now.render()
	}
	return m.rendered
}

func (f facts) render() *structpb.Struct {
	fields := map[string]*structpb.Value{
		// Always a number: a limit that finds none charges nothing.
		"total_tokens": structpb.NewNumberValue(float64(f.counts.Total)),
	}
	if f.operation != "" {
		// False, too: Envoy adds what is new to what it was told before.
		fields["estimated"] = structpb.NewBoolValue(f.counts.Estimated)
	}
	if f.counts.Known {
		for name, n := range map[string]int64{
			"input_tokens": f.counts.Input, "output_tokens": f.counts.Output,
			"cached_input_tokens": f.counts.CachedInput, "cache_creation_input_tokens": f.counts.CacheCreation,
			"reasoning_tokens": f.counts.Reasoning,
		} {
			fields[name] = structpb.NewNumberValue(float64(n))
		}
	}
	for name, text := range map[string]string{
		"requested_model": f.asked, "model": f.model, "response_model": f.answered,
		"operation": f.operation, "error_source": f.source, "error_class": f.errorClass,
	} {
		if text != "" {
			fields[name] = structpb.NewStringValue(text)
		}
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		config.MetadataNamespace: structpb.NewStructValue(&structpb.Struct{Fields: fields}),
	}}
}
