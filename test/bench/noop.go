// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// noop answers every message and does nothing: what it costs is what any ext_proc
// of these messages costs.
type noop struct {
	extprocv3.UnimplementedExternalProcessorServer
}

// serveNoop is the process of the variant noop. Its windows are as wide as ours have
// them for a large body, and its heap is collected as seldom.
func serveNoop(ctx context.Context) error {
	debug.SetGCPercent(400)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(128<<20), grpc.InitialWindowSize(256<<10), grpc.InitialConnWindowSize(8<<20))
	extprocv3.RegisterExternalProcessorServer(server, noop{})
	healthv1.RegisterHealthServer(server, health.NewServer())
	listener, err := listenLocal()
	if err != nil {
		return err
	}
	if err := announce(addresses{GRPC: listener.Addr().String()}); err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	return server.Serve(listener)
}

// Process implements the service.
func (noop) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		msg, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		if err := stream.Send(nothing(msg)); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
}

// nothing is the reply that changes nothing.
func nothing(msg *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	switch m := msg.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return &extprocv3.ProcessingResponse{
			Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}},
		}
	case *extprocv3.ProcessingRequest_RequestBody:
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: same(m.RequestBody)}}
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return &extprocv3.ProcessingResponse{
			Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}},
		}
	default:
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: same(msg.GetResponseBody())}}
	}
}

func same(b *extprocv3.HttpBody) *extprocv3.BodyResponse {
	return &extprocv3.BodyResponse{Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
		Mutation: &extprocv3.BodyMutation_StreamedResponse{StreamedResponse: &extprocv3.StreamedBodyResponse{
			Body: b.GetBody(), EndOfStream: b.GetEndOfStream(),
		}},
	}}}
}
