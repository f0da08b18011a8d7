// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tars-operator/tars-operator/extproc/transport"
)

// health implements Check of gRPC's service Health, for the kubelet's probes and
// Envoy's.
type health struct {
	draining atomic.Bool
}

// open begins a call.
func (h *health) open(s *transport.Stream) transport.Handler {
	return &healthCheck{health: h, stream: s}
}

// healthCheck is a call of Check.
type healthCheck struct {
	health *health
	stream *transport.Stream
}

// Message implements transport.Handler.
func (c *healthCheck) Message(text []byte, _ bool) error {
	var asked healthv1.HealthCheckRequest
	if err := proto.Unmarshal(text, &asked); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	if asked.GetService() != "" {
		return status.Errorf(codes.NotFound, "there is no service %q here", asked.GetService())
	}
	answer := &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING}
	if c.health.draining.Load() {
		answer.Status = healthv1.HealthCheckResponse_NOT_SERVING
	}
	reply, err := proto.Marshal(answer)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	if err := c.stream.Send(reply, nil); err != nil {
		return fmt.Errorf("answering a health check: %w", err)
	}
	return nil
}

// Full implements transport.Handler.
func (*healthCheck) Full() error {
	return status.Error(codes.ResourceExhausted, "a question about health is short")
}

// Sent implements transport.Handler.
func (*healthCheck) Sent() error { return nil }

// Close implements transport.Handler.
func (*healthCheck) Close() {}
