// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Collector is a running OpenTelemetry Collector that keeps what it gets.
type Collector struct {
	*Process

	// GRPC and HTTP are the addresses at which it takes OTLP.
	GRPC, HTTP string

	file string
}

// Span is a span as the Collector got it.
type Span struct {
	TraceID, SpanID, ParentSpanID, Name string
	// Kind and Status are OTLP's numbers: 3 is a client's, 2 an error.
	Kind, Status int
	// Attributes and Resource are as text.
	Attributes, Resource map[string]string
	// Events are their names.
	Events []string
}

// StartCollector runs a Collector on free ports. It ends with the context.
func StartCollector(ctx context.Context, o Options) (*Collector, error) {
	binary := os.Getenv("TARS_TEST_OTELCOL")
	if binary == "" {
		out, err := exec.CommandContext(ctx, filepath.Join(o.Root, "test", "cluster", "cluster"), "tool", "otelcol").Output()
		if err != nil {
			return nil, fmt.Errorf("no Collector: set TARS_TEST_OTELCOL, or mend 'test/cluster/cluster tool otelcol': %w", err)
		}
		binary = strings.TrimSpace(string(out))
	}
	c := &Collector{file: filepath.Join(o.Dir, "spans.json")}
	for _, address := range []*string{&c.GRPC, &c.HTTP} {
		var err error
		if *address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
	}
	config := fmt.Sprintf(`
receivers: {otlp: {protocols: {grpc: {endpoint: %q}, http: {endpoint: %q}}}}
exporters: {file: {path: %q, flush_interval: 20ms}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [file]}}}
`, c.GRPC, c.HTTP, c.file)
	path := filepath.Join(o.Dir, "otelcol.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("writing the Collector's configuration: %w", err)
	}
	process, err := start("otelcol", exec.CommandContext(ctx, binary, "--config", "file:"+path), o.Log)
	if err != nil {
		return nil, err
	}
	c.Process = process
	return c, process.ready(func() error {
		return errors.Join(reachable(ctx, c.GRPC), reachable(ctx, c.HTTP))
	})
}

// freeAddress is one that nobody listens at.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

func reachable(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Text is everything that it got, as it was written.
func (c *Collector) Text() (string, error) {
	data, err := os.ReadFile(c.file)
	return string(data), err
}

// Spans are those that it got until now.
func (c *Collector) Spans() ([]Span, error) {
	data, err := os.ReadFile(c.file)
	if err != nil {
		return nil, fmt.Errorf("reading what the Collector got: %w", err)
	}
	var all []Span
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var batch exported
		if err := json.Unmarshal(line, &batch); err != nil {
			return nil, fmt.Errorf("reading what the Collector got: %w", err)
		}
		all = append(all, batch.spans()...)
	}
	return all, nil
}

// exported is OTLP's JSON, as far as it matters here.
type exported struct {
	ResourceSpans []struct {
		Resource   struct{ Attributes attributes }
		ScopeSpans []struct {
			Spans []struct {
				TraceID, SpanID, ParentSpanID, Name string
				Kind                                int
				Attributes                          attributes
				Events                              []struct{ Name string }
				Status                              struct{ Code int }
			}
		}
	}
}

func (e exported) spans() []Span {
	var all []Span
	for _, r := range e.ResourceSpans {
		for _, scope := range r.ScopeSpans {
			for _, s := range scope.Spans {
				span := Span{
					TraceID: s.TraceID, SpanID: s.SpanID, ParentSpanID: s.ParentSpanID, Name: s.Name, Kind: s.Kind,
					Status: s.Status.Code, Attributes: s.Attributes.texts(), Resource: r.Resource.Attributes.texts(),
				}
				for _, event := range s.Events {
					span.Events = append(span.Events, event.Name)
				}
				all = append(all, span)
			}
		}
	}
	return all
}

type attributes []struct {
	Key   string
	Value map[string]any
}

// texts are the attributes' values as text, whatever their types.
func (a attributes) texts() map[string]string {
	texts := map[string]string{}
	for _, attribute := range a {
		for _, value := range attribute.Value {
			texts[attribute.Key] = fmt.Sprint(value)
		}
	}
	return texts
}
