// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// silent begins a request that then says nothing, as Envoy would.
func silent(ctx context.Context, client extprocv3.ExternalProcessorClient) extprocv3.ExternalProcessor_ProcessClient {
	GinkgoHelper()
	stream, err := client.Process(ctx)
	Expect(err).NotTo(HaveOccurred())
	headers := &corev3.HeaderMap{}
	for _, h := range [][2]string{{":method", "POST"}, {":path", chatPath}, {"content-type", "application/json"}, {"x-request-id", "silent"}} {
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	Expect(stream.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: headers},
	}})).To(Succeed())
	return stream
}

var _ = Describe("Memory", func() {
	// Not through Envoy, which takes ten times as much for each.
	It("is enough by default for 120,000 requests that say nothing: those that do not fit are told to come again", func(ctx SpecContext) {
		const requests = 120_000
		defaults := v1alpha1.DefaultExtProcResources()
		limit := defaults.Limits.Memory().Value()
		v := startVictim(fmt.Sprintf("EXTPROC_MEMORY_LIMIT=%d", limit))
		conn, err := grpc.NewClient(v.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(conn.Close()).To(Succeed()) }()
		talk, hangUp := context.WithCancel(ctx)
		defer hangUp()
		var refused atomic.Int64
		for range requests {
			mine, end := context.WithCancel(talk)
			stream := silent(mine, extprocv3.NewExternalProcessorClient(conn))
			go func() {
				defer end() // Envoy ends what has its answer
				if reply, err := stream.Recv(); err == nil && reply.GetImmediateResponse().GetStatus().GetCode() == http.StatusServiceUnavailable {
					refused.Add(1)
				}
			}()
		}
		// How many have room hangs on how many have waited for 30 s by now.
		Eventually(refused.Load).WithTimeout(stepTimeout).WithPolling(poll).Should(BeNumerically(">", 0))
		peak, err := v.PeakMemory()
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("memory", fmt.Sprintf("%d of %d were refused; the peak was %d of %d MiB", refused.Load(), requests, peak>>20, limit>>20))
		Expect(peak).To(BeNumerically("<", limit))
		hangUp()
		Eventually(func() []string { return v.metrics("tars_held_bytes ") }).WithTimeout(stepTimeout).WithPolling(poll).Should(ConsistOf("tars_held_bytes 0"))
		Expect(v.status(newID())).To(Equal(http.StatusOK))
	}, SpecTimeout(2*time.Minute))
})
