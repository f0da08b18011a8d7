// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// rawConn speaks HTTP/1.1 to Envoy byte by byte.
type rawConn struct {
	net.Conn

	reader *bufio.Reader
}

func dial() *rawConn {
	GinkgoHelper()
	return dialTo(world.envoy)
}

func dialTo(e *envoy) *rawConn {
	GinkgoHelper()
	conn, err := net.Dial("tcp", e.Address)
	Expect(err).NotTo(HaveOccurred())
	Expect(conn.SetDeadline(time.Now().Add(stepTimeout))).To(Succeed())
	return &rawConn{Conn: conn, reader: bufio.NewReader(conn)}
}

func (c *rawConn) write(format string, args ...any) {
	GinkgoHelper()
	_, err := fmt.Fprintf(c, format, args...)
	Expect(err).NotTo(HaveOccurred())
}

func (c *rawConn) response() reply {
	GinkgoHelper()
	resp, err := http.ReadResponse(c.reader, nil)
	Expect(err).NotTo(HaveOccurred())
	body, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.Body.Close()).To(Succeed())
	return reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// asked is the body of a request that passes.
const asked = `{"model":"claude-1"}`

// rawly sends what net/http would not.
func rawly(format string, args ...any) reply {
	GinkgoHelper()
	raw := dial()
	defer raw.close()
	raw.write(format, args...)
	return raw.response()
}

func (c *rawConn) close() {
	GinkgoHelper()
	Expect(c.Close()).To(Succeed())
}
