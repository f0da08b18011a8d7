// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

// rawRequest is a chat with one wish, as bytes.
func rawRequest(wish string) string {
	return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: %s\r\n%s\r\ncontent-length: %d\r\n\r\n%s",
		demoKey, wish, len(chat), chat)
}

// Types of TLS records.
const (
	alertRecord     = 21
	handshakeRecord = 22
)

// tap keeps what it reads.
type tap struct {
	net.Conn
	seen []byte
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.seen = append(t.seen, p[:n]...)
	return n, err
}

// records are the types of the TLS records that were read.
func (t *tap) records() []int {
	var types []int
	for rest := t.seen; len(rest) >= 5; {
		types = append(types, int(rest[0]))
		rest = rest[min(len(rest), 5+int(binary.BigEndian.Uint16(rest[3:5]))):]
	}
	return types
}

var _ = Describe("On the wire", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	It("an answer byte by byte has chunks of one byte", func() {
		conn, err := net.Dial("tcp", strings.TrimPrefix(f.URL(), "http://"))
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		_, err = io.WriteString(conn, rawRequest("x-fake-split: 1"))
		Expect(err).NotTo(HaveOccurred())
		all, err := io.ReadAll(conn)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(all)).To(ContainSubstring("\r\n\r\n1\r\n{\r\n1\r\n\"\r\n1\r\nc\r\n"))
		Expect(string(all)).To(HaveSuffix("1\r\n}\r\n0\r\n\r\n"))
	})

	DescribeTable("a cut connection has no goodbye of TLS", func(where string) {
		plain, err := net.Dial("tcp", strings.TrimPrefix(f.SecureURL(), "https://"))
		Expect(err).NotTo(HaveOccurred())
		defer plain.Close()
		wire := &tap{Conn: plain}
		// TLS 1.2 tells the types of records after the handshake, too.
		conn := tls.Client(wire, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
		_, err = io.WriteString(conn, rawRequest("x-fake-cut: "+where))
		Expect(err).NotTo(HaveOccurred())
		_, err = io.ReadAll(conn)
		Expect(err).NotTo(HaveOccurred())
		Expect(wire.records()).To(ContainElement(handshakeRecord))
		Expect(wire.records()).NotTo(ContainElement(alertRecord))
	}, Entry(nil, "half"), Entry(nil, "before-headers"))

	// The pause after the last byte is the time in which a client may look.
	It("the last byte of a document comes after the ledger's last word", func() {
		resp := f.open(http1, reply.Chat, chat, "x-fake-split", "1000000", "x-fake-split-gap", "1m")
		var document object
		Expect(json.NewDecoder(resp.Body).Decode(&document)).To(Succeed())
		Expect(f.last()).To(And(HaveField("Outcome", ledger.Complete), HaveField("UsageSent", true)))
	})

	It("the last event of a stream comes after the ledger's last word", func() {
		resp := f.open(http1, reply.Chat, chatUsage, "x-fake-chunks", "1", "x-fake-split", "1000000", "x-fake-split-gap", (4 * pace).String())
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() && lines.Text() != "data: [DONE]" {
			if strings.Contains(lines.Text(), `"usage"`) {
				Expect(f.last()).To(And(HaveField("Outcome", ledger.Open), HaveField("UsageSent", true)))
			}
		}
		Expect(f.last()).To(And(HaveField("Outcome", ledger.Complete), HaveField("UsageSent", true)))
	})
})
