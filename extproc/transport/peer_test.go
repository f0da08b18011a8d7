// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// listener is one on any port.
func listener() net.Listener {
	GinkgoHelper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	return l
}

// peer is a client that sends the frames it is told to.
type peer struct {
	*http2.Framer

	conn   net.Conn
	fields *hpack.Encoder
	block  *bytes.Buffer
}

func newPeer(conn net.Conn) *peer {
	p := &peer{conn: conn, Framer: http2.NewFramer(conn, conn), block: &bytes.Buffer{}}
	p.fields = hpack.NewEncoder(p.block)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return p
}

// dial connects and says nothing.
func dial(r *running) *peer {
	GinkgoHelper()
	conn, err := net.Dial("tcp", r.address)
	Expect(err).NotTo(HaveOccurred())
	Expect(conn.SetDeadline(time.Now().Add(timeout))).To(Succeed())
	DeferCleanup(conn.Close)
	return newPeer(conn)
}

// connect exchanges prefaces.
func connect(r *running, settings ...http2.Setting) *peer {
	GinkgoHelper()
	p := dial(r)
	_, err := io.WriteString(p.conn, http2.ClientPreface)
	Expect(err).NotTo(HaveOccurred())
	Expect(p.WriteSettings(settings...)).To(Succeed())
	p.until(func(f http2.Frame) bool { s, ok := f.(*http2.SettingsFrame); return ok && s.IsAck() })
	return p
}

// until reads frames up to the one that is looked for, and returns those before it.
func (p *peer) until(found func(http2.Frame) bool) []string {
	GinkgoHelper()
	var before []string
	for {
		f, err := p.ReadFrame()
		Expect(err).NotTo(HaveOccurred(), "after %s", before)
		if found(f) {
			return before
		}
		before = append(before, describe(f))
	}
}

// next describes the next frame that is not about windows.
func (p *peer) next() string {
	GinkgoHelper()
	for {
		f, err := p.ReadFrame()
		Expect(err).NotTo(HaveOccurred())
		if _, ok := f.(*http2.WindowUpdateFrame); !ok {
			return describe(f)
		}
	}
}

// nothing expects that nothing was sent before the answer to a ping.
func (p *peer) nothing() {
	GinkgoHelper()
	Expect(p.pong()).To(BeEmpty())
}

// pong has the server answer a ping, and returns what it sent before.
func (p *peer) pong() []string {
	GinkgoHelper()
	Expect(p.WritePing(false, [8]byte{7})).To(Succeed())
	return p.until(func(f http2.Frame) bool {
		ping, ok := f.(*http2.PingFrame)
		return ok && ping.IsAck() && ping.Data == [8]byte{7}
	})
}

// widened has the server answer a ping, and returns by how much it has widened the
// window of a stream until then.
func (p *peer) widened(stream uint32) (by int) {
	GinkgoHelper()
	Expect(p.WritePing(false, [8]byte{8})).To(Succeed())
	p.until(func(f http2.Frame) bool {
		if window, ok := f.(*http2.WindowUpdateFrame); ok && window.StreamID == stream {
			by += int(window.Increment)
		}
		ping, ok := f.(*http2.PingFrame)
		return ok && ping.IsAck() && ping.Data == [8]byte{8}
	})
	return by
}

// describe puts a frame into words.
func describe(f http2.Frame) string {
	end := ""
	if h := f.Header(); (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) && h.Flags.Has(http2.FlagDataEndStream) {
		end = "$"
	}
	switch f := f.(type) {
	case *http2.DataFrame:
		return "data " + printable(f.Data()) + end
	case *http2.MetaHeadersFrame:
		var fields []string
		for _, field := range f.Fields {
			fields = append(fields, field.Name+"="+field.Value)
		}
		return "headers " + strings.Join(fields, " ") + end
	case *http2.RSTStreamFrame:
		return "reset " + f.ErrCode.String()
	case *http2.GoAwayFrame:
		return "goaway " + f.ErrCode.String()
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			return "window of the connection"
		}
		return "window"
	case *http2.PingFrame:
		return "ping " + printable(f.Data[:])
	default:
		return f.Header().Type.String()
	}
}

// printable shortens what is long, and shows the prefix of a message as its length.
func printable(data []byte) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, string(data))
	if len(text) > 40 {
		text = text[:20] + "..."
	}
	return text
}

// block encodes headers.
func (p *peer) encode(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i+1 < len(pairs); i += 2 {
		Expect(p.fields.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})).To(Succeed())
	}
	return p.block.Bytes()
}

// open begins a stream.
func (p *peer) open(id uint32, end bool) {
	GinkgoHelper()
	p.headers(id, end, ":method", "POST", ":scheme", "http", ":path", path, ":authority", "x", "content-type", "application/grpc+proto", "te", "trailers")
}

func (p *peer) headers(id uint32, end bool, pairs ...string) {
	GinkgoHelper()
	Expect(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(pairs...), EndHeaders: true, EndStream: end})).To(Succeed())
}

// message puts a prefix before a text.
func message(text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}

func (p *peer) send(id uint32, end bool, data []byte) {
	GinkgoHelper()
	Expect(p.WriteData(id, end, data)).To(Succeed())
}

// ends reads to the end of the connection, and returns what came.
func (p *peer) ends() []string {
	GinkgoHelper()
	var frames []string
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return frames
		}
		frames = append(frames, describe(f))
	}
}
