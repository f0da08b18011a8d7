// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// crowd begins requests that then say nothing, and ends those that are answered, as
// Envoy does. It keeps nothing of them: a client of gRPC would take a hundred times the
// memory that is looked at here.
type crowd struct {
	*http2.Framer

	conn net.Conn
	out  *bufio.Writer

	mu       sync.Mutex
	answered []uint32 // streams that are to be ended
	refused  int
}

func newCrowd(address string) *crowd {
	GinkgoHelper()
	conn, err := net.Dial("tcp", address)
	Expect(err).NotTo(HaveOccurred())
	c := &crowd{conn: conn, out: bufio.NewWriterSize(conn, 64<<10)}
	c.Framer = http2.NewFramer(c.out, bufio.NewReaderSize(conn, 64<<10))
	_, err = io.WriteString(c.out, http2.ClientPreface)
	Expect(errors.Join(err, c.WriteSettings(), c.WriteSettingsAck(), c.WriteWindowUpdate(0, 1<<30))).To(Succeed())
	go c.listen()
	return c
}

// listen reads until the connection ends.
func (c *crowd) listen() {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return
		}
		data, ok := frame.(*http2.DataFrame)
		if !ok {
			continue
		}
		c.mu.Lock()
		c.answered = append(c.answered, data.StreamID)
		if bytes.Contains(data.Data(), []byte(`"overloaded"`)) {
			c.refused++
		}
		c.mu.Unlock()
	}
}

// begin begins requests.
func (c *crowd) begin(requests int) {
	GinkgoHelper()
	headers, message := silent()
	for i := range requests {
		id := uint32(2*i + 1)
		Expect(errors.Join(c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: headers, EndHeaders: true}),
			c.WriteData(id, false, message))).To(Succeed())
		c.end()
	}
	Expect(c.out.Flush()).To(Succeed())
}

// end ends what has been answered, and returns how many were refused so far.
func (c *crowd) end() int {
	GinkgoHelper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.answered {
		Expect(c.WriteRSTStream(id, http2.ErrCodeCancel)).To(Succeed())
	}
	c.answered = c.answered[:0]
	return c.refused
}

// silent is what a request begins with: its headers as gRPC's, and as Envoy's message.
func silent() (headers, message []byte) {
	GinkgoHelper()
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	fields.SetMaxDynamicTableSize(0) // so that it can be sent again
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", extprocv3.ExternalProcessor_Process_FullMethodName},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		Expect(fields.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})).To(Succeed())
	}
	list := &corev3.HeaderMap{}
	for _, h := range [][2]string{{":method", "POST"}, {":path", chatPath}, {"content-type", "application/json"}, {"x-request-id", "silent"}} {
		list.Headers = append(list.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	text, err := proto.Marshal(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: list},
	}})
	Expect(err).NotTo(HaveOccurred())
	message = binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text)))
	return block.Bytes(), append(message, text...)
}

var _ = Describe("Memory", func() {
	// Not through Envoy, which takes ten times as much for each.
	It("is enough by default for 120,000 requests that say nothing: those that do not fit are told to come again", func() {
		const requests = 120_000
		defaults := v1alpha1.DefaultExtProcResources()
		limit := defaults.Limits.Memory().Value()
		o := options()
		o.Env, o.LogLevel = []string{fmt.Sprintf("EXTPROC_MEMORY_LIMIT=%d", limit)}, "info" // not two lines for each
		started, err := harness.StartExtproc(context.Background(), o, "127.0.0.1:0", victimConfig())
		Expect(err).NotTo(HaveOccurred())
		v := &extproc{started}
		DeferCleanup(v.kill)
		c := newCrowd(v.GRPC)
		c.begin(requests)
		var refused int
		// How many have room hangs on how many have waited for 30 s by now.
		Eventually(func() int {
			refused = c.end()
			Expect(c.out.Flush()).To(Succeed())
			return refused
		}).WithTimeout(stepTimeout).WithPolling(poll).Should(BeNumerically(">", 0))
		inFlight := v.metrics("tars_requests_in_flight")
		peak, err := v.PeakMemory()
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("memory", fmt.Sprintf("%d of %d were refused; %s; the peak was %d of %d MiB", refused, requests, inFlight, peak>>20, limit>>20))
		Expect(peak).To(BeNumerically("<", limit))
		Expect(c.conn.Close()).To(Succeed())
		Eventually(func() []string { return v.metrics("tars_held_bytes ") }).WithTimeout(time.Minute).WithPolling(poll).Should(ConsistOf("tars_held_bytes 0"))
		Expect(v.Ended()).To(BeFalse())
	})
})
