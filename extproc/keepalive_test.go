// SPDX-License-Identifier: Apache-2.0

package extproc_test

import (
	"io"
	"net"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"
)

const (
	// pingEvery is more often than Envoy is told to ask, and never so often
	// that it had to be refused.
	pingEvery = 1100 * time.Millisecond
	// pings is more than gRPC forgives a client that asks too often.
	pings = 5
)

var _ = Describe("HTTP/2's pings of Envoy", func() {
	It("are answered on an idle connection, and close nothing", func() {
		r := run(configuration(0))
		conn, err := (&net.Dialer{Timeout: timeout}).Dial("tcp", r.grpc)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(conn.Close)
		_, err = io.WriteString(conn, http2.ClientPreface)
		Expect(err).NotTo(HaveOccurred())
		framer := http2.NewFramer(conn, conn)
		Expect(framer.WriteSettings()).To(Succeed())
		pace := time.NewTicker(pingEvery)
		DeferCleanup(pace.Stop)
		for range pings {
			Expect(framer.WritePing(false, [8]byte{1})).To(Succeed())
			expectPong(framer)
			<-pace.C
		}
	})
})

// expectPong reads frames until the ping's answer. A server that closes the
// connection says GOAWAY.
func expectPong(framer *http2.Framer) {
	GinkgoHelper()
	for {
		frame, err := framer.ReadFrame()
		Expect(err).NotTo(HaveOccurred())
		Expect(frame.Header().Type).NotTo(Equal(http2.FrameGoAway))
		if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() {
			return
		}
	}
}
