// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"bytes"
	"io"
	"net"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"
)

const opened = "headers :status=200 content-type=application/grpc"

var _ = Describe("A stream", func() {
	var r *running
	BeforeEach(func() { r = start() })

	It("takes messages however they are cut and padded", func() {
		p := connect(r)
		p.open(1, false)
		whole := append(message("one"), append(message(""), message("three")...)...)
		for i := range whole {
			p.send(1, false, whole[i:i+1])
		}
		Expect(p.next()).To(Equal(opened))
		for _, want := range []string{"data .....one", "data .....", "data .....three"} {
			Expect(p.next()).To(Equal(want))
		}
		Expect(p.WriteDataPadded(1, false, append(message("four"), message("five")...), make([]byte, 200))).To(Succeed())
		Expect(p.WriteDataPadded(1, false, nil, make([]byte, 255))).To(Succeed())
		Expect(p.WriteDataPadded(1, true, message("six"), []byte{})).To(Succeed())
		for _, want := range []string{"data .....four", "data .....five", "data .....six", "headers grpc-status=0$"} {
			Expect(p.next()).To(Equal(want))
		}
		p.nothing()
	})

	It("ends with the client's end, whatever frame says so", func() {
		p := connect(r)
		p.open(1, true)
		Expect(p.next()).To(Equal(opened + " grpc-status=0$"))
		p.open(3, false)
		p.send(3, true, nil)
		Expect(p.next()).To(Equal(opened + " grpc-status=0$"))
		p.open(5, false)
		p.headers(5, true, "x", "y")
		Expect(p.next()).To(Equal(opened + " grpc-status=0$"))
		p.open(7, false)
		p.send(7, true, message("half")[:6])
		Expect(p.next()).To(Equal(opened + " grpc-status=0$"))
		messages, _, _ := r.last().counts()
		Expect(messages).To(BeZero(), "a message that is not whole is none")
	})

	It("that fails is ended at once, and what follows on it is thrown away", func() {
		p := connect(r)
		p.open(1, false)
		p.send(1, false, append(message("fail"), message("more")...))
		Expect(p.next()).To(Equal(opened + " grpc-status=3 grpc-message=not so: 100 %25%0A$"))
		Expect(p.next()).To(Equal("reset NO_ERROR"))
		p.send(1, false, message("more"))
		p.headers(1, true, "x", "y")
		Expect(p.WriteWindowUpdate(1, 1)).To(Succeed())
		Expect(p.WriteRSTStream(1, http2.ErrCodeCancel)).To(Succeed())
		p.nothing()
		messages, _, closed := r.last().counts()
		Expect(messages).To(Equal(1))
		Expect(closed).To(Equal(1))
	})

	It("refuses messages that it cannot take", func() {
		p := connect(r)
		p.open(1, false)
		p.send(1, false, []byte{1, 0, 0, 0, 1, 'x'})
		Expect(p.next()).To(And(HavePrefix(opened), ContainSubstring("grpc-status=12 grpc-message=compressed")))
		Expect(p.next()).To(Equal("reset NO_ERROR"))
		p.open(3, false)
		p.send(3, false, []byte{0, 0x08, 0, 0, 1})
		Expect(p.next()).To(And(HavePrefix(opened), ContainSubstring("grpc-status=8 grpc-message=a message of 134217729 bytes")))
		Expect(p.next()).To(Equal("reset NO_ERROR"))
		p.open(5, false)
		p.send(5, false, []byte{0, 0x08, 0, 0, 0})
		p.nothing()
	})

	It("is refused where it is not gRPC", func() {
		p := connect(r)
		for i, pairs := range [][]string{
			{":method", "GET", ":scheme", "http", ":path", path, "content-type", "application/grpc"},
			{":method", "POST", ":scheme", "http", ":path", path},
			{":method", "POST", ":scheme", "http", ":path", path, "content-type", "application/json"},
			{":method", "POST", ":scheme", "http", ":path", path, "content-type", "application/grpc", "long", strings.Repeat("x", 10<<10), "longer", strings.Repeat("y", 10<<10)},
		} {
			id := uint32(2*i + 1)
			block := p.encode(pairs...)
			first := min(len(block), 10<<10)
			Expect(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:first], EndHeaders: first == len(block)})).To(Succeed())
			if first < len(block) {
				Expect(p.WriteContinuation(id, true, block[first:])).To(Succeed())
			}
			Expect(p.next()).To(Equal("headers :status=415$"))
			Expect(p.next()).To(Equal("reset NO_ERROR"))
		}
		p.headers(9, true, ":method", "POST", ":scheme", "http", ":path", "/other", "content-type", "application/grpc")
		Expect(p.next()).To(ContainSubstring("grpc-status=12 grpc-message=there is no method /other here"))
		Expect(r.last()).To(BeNil())
	})

	It("is reset for a fault of its own", func() {
		p := connect(r)
		p.open(1, false)
		p.headers(3, false, ":method", "POST", "Upper", "x")
		Expect(p.next()).To(Equal("reset PROTOCOL_ERROR"))
		p.send(3, false, message("x"))
		Expect(p.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 4))).To(Succeed())
		Expect(p.next()).To(Equal("reset PROTOCOL_ERROR"))
		p.nothing()
		_, _, closed := r.last().counts()
		Expect(closed).To(Equal(1))
	})

	It("ends when the client resets it, and takes no more replies", func() {
		p := connect(r)
		p.open(1, false)
		p.send(1, false, message("one"))
		Expect(p.next()).To(Equal(opened))
		Expect(p.next()).To(Equal("data .....one"))
		c := r.last()
		Expect(c.Send([]byte("from another goroutine"), nil)).To(Succeed())
		Expect(p.next()).To(Equal("data .....from another goroutine"))
		Expect(p.WriteRSTStream(1, http2.ErrCodeCancel)).To(Succeed())
		p.nothing()
		_, _, closed := c.counts()
		Expect(closed).To(Equal(1))
		Expect(c.Send([]byte("late"), nil)).To(MatchError(ContainSubstring("ended")))
		p.nothing()
	})
})

var _ = Describe("A connection", func() {
	var r *running
	BeforeEach(func() { r = start() })

	It("answers pings and settings, and passes over what it does not know", func() {
		p := connect(r)
		Expect(p.WriteRawFrame(0xbe, 0xff, 0, []byte("of the future"))).To(Succeed())
		Expect(p.WritePriority(1, http2.PriorityParam{StreamDep: 3})).To(Succeed())
		Expect(p.WritePing(true, [8]byte{})).To(Succeed())
		Expect(p.WriteGoAway(0, http2.ErrCodeNo, nil)).To(Succeed())
		p.nothing()
		Expect(p.WriteSettings(http2.Setting{ID: 0xbe, Val: 1}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})).To(Succeed())
		Expect(p.next()).To(Equal("SETTINGS"))
		p.open(1, true)
		Expect(p.next()).To(Equal(opened+" grpc-status=0$"), "without a table of fields")
	})

	DescribeTable("that breaks the protocol is told so, and closed",
		func(code http2.ErrCode, breaks func(*peer) error) {
			p := connect(r)
			p.AllowIllegalWrites = true
			p.open(1, false)
			p.nothing()
			Expect(breaks(p)).To(Succeed())
			Expect(p.ends()).To(ContainElement("goaway " + code.String()))
			Eventually(func() int { _, _, closed := r.last().counts(); return closed }).WithTimeout(timeout).WithPolling(poll).Should(Equal(1))
		},
		Entry("data on no stream", http2.ErrCodeProtocol, func(p *peer) error { return p.WriteData(0, false, []byte("x")) }),
		Entry("data on a stream that has not begun", http2.ErrCodeProtocol, func(p *peer) error { return p.WriteData(3, false, []byte("x")) }),
		Entry("more padding than there is frame", http2.ErrCodeProtocol, func(p *peer) error {
			return p.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, 1, []byte{9, 1, 2, 3})
		}),
		Entry("padding of which the length is missing", http2.ErrCodeProtocol, func(p *peer) error { return p.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, 1, nil) }),
		Entry("a frame that is too long", http2.ErrCodeFrameSize, func(p *peer) error { return p.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 16<<10+1)) }),
		Entry("a stream of the server", http2.ErrCodeProtocol, func(p *peer) error { p.open(2, false); return nil }),
		Entry("headers in a stream that do not end it", http2.ErrCodeProtocol, func(p *peer) error { p.headers(1, false, "x", "y"); return nil }),
		Entry("a continuation of nothing", http2.ErrCodeProtocol, func(p *peer) error { return p.WriteContinuation(1, true, nil) }),
		Entry("headers that are broken", http2.ErrCodeCompression, func(p *peer) error {
			return p.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
		}),
		Entry("a reset of a stream that has not begun", http2.ErrCodeProtocol, func(p *peer) error { return p.WriteRSTStream(3, http2.ErrCodeCancel) }),
		Entry("a window of a stream that has not begun", http2.ErrCodeProtocol, func(p *peer) error { return p.WriteWindowUpdate(3, 1) }),
		Entry("a window that is too wide", http2.ErrCodeFlowControl, func(p *peer) error { return p.WriteWindowUpdate(1, 1<<31-1) }),
		Entry("a connection's window that is too wide", http2.ErrCodeFlowControl, func(p *peer) error { return p.WriteWindowUpdate(0, 1<<31-1) }),
		Entry("a push", http2.ErrCodeProtocol, func(p *peer) error {
			return p.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: nil, EndHeaders: true})
		}),
		Entry("settings that are not valid", http2.ErrCodeProtocol, func(p *peer) error { return p.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1}) }),
		Entry("an initial window that is too wide", http2.ErrCodeFlowControl, func(p *peer) error {
			return p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}),
	)

	It("that does not begin as it should is closed", func() {
		for _, first := range []string{"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"} {
			p := dial(r)
			_, err := io.WriteString(p.conn, first)
			Expect(err).NotTo(HaveOccurred())
			Expect(p.ends()).To(ContainElement("goaway PROTOCOL_ERROR"))
		}
		p := dial(r)
		Expect(p.conn.(*net.TCPConn).CloseWrite()).To(Succeed())
		Expect(p.ends()).To(Equal([]string{"SETTINGS", "window of the connection"}), "it has said nothing wrong")
	})
})

var _ = Describe("Windows", func() {
	var r *running
	BeforeEach(func() { r = start() })

	It("of the client bound what is sent, stream by stream", func() {
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		p.open(1, false)
		p.open(3, false)
		p.send(1, false, message("0123456789"))
		Expect(p.next()).To(Equal(opened))
		Expect(p.next()).To(Equal("data .....01234"))
		first := r.all()[0]
		Expect(first.Room()).To(BeFalse())
		p.send(3, false, message("other"))
		Expect(p.next()).To(Equal(opened))
		Expect(p.next()).To(Equal("data .....other"))
		Expect(r.all()[1].Room()).To(BeTrue())
		Expect(p.WriteWindowUpdate(1, 2)).To(Succeed())
		Expect(p.next()).To(Equal("data 56"))
		Expect(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 12})).To(Succeed())
		Expect([]string{p.next(), p.next()}).To(ConsistOf("SETTINGS", "data 78"))
		_, sent, _ := first.counts()
		Expect(sent).To(BeZero())
		p.send(1, true, message("end")) // waits behind the rest
		p.nothing()
		Expect(p.WriteWindowUpdate(1, 100)).To(Succeed())
		Expect(p.next()).To(Equal("data 9.....end"))
		Expect(p.next()).To(Equal("headers grpc-status=0$"))
		p.nothing()
	})

	It("tell the handler when there is room again", func() {
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		p.open(1, false)
		p.send(1, false, message("0123456789"))
		p.pong()
		c := r.last()
		Expect(p.WriteWindowUpdate(1, 5)).To(Succeed())
		p.pong()
		_, sent, _ := c.counts()
		Expect(sent).To(Equal(1))
		Expect(c.Room()).To(BeTrue())
		p.send(1, false, message("fail"))
		Expect(p.next()).To(ContainSubstring("grpc-status=3"))
	})

	It("may shrink below what was sent", func() {
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
		p.open(1, false)
		p.send(1, false, message("0123456789"))
		p.pong()
		Expect(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5})).To(Succeed())
		p.pong()
		p.send(1, false, message("more"))
		p.nothing()
		Expect(p.WriteWindowUpdate(1, 11)).To(Succeed())
		Expect(p.next()).To(Equal("data ."), "15 were sent and 5 allowed: one more is")
	})

	It("of the connection bound all streams together", func() {
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
		long := strings.Repeat("x", 40<<10)
		for i := range 3 {
			p.open(uint32(2*i+1), false)
			for rest := message(long); len(rest) > 0; {
				n := min(len(rest), 16<<10)
				p.send(uint32(2*i+1), false, rest[:n])
				rest = rest[n:]
			}
		}
		p.pong()
		var stuck int
		for _, c := range r.all() {
			if !c.Room() {
				stuck++
			}
		}
		Expect(stuck).To(Equal(2), "65,535 bytes are room for one and a half")
		Expect(p.WriteWindowUpdate(0, 1<<20)).To(Succeed())
		p.pong()
		for _, c := range r.all() {
			Expect(c.Room()).To(BeTrue())
		}
	})

	It("of the server are not widened for a stream whose replies wait", func() {
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		p.open(1, false)
		p.open(3, false)
		quarter := bytes.Repeat(message("silence"), 16<<10/len(message("silence")))
		p.send(1, false, append(message("waits"), quarter[:16<<10-10]...))
		p.send(3, false, quarter)
		p.send(3, false, message("silence"))
		p.send(3, false, message("silence"))
		Expect(p.pong()).To(Equal([]string{opened, "window"}))
		Expect(p.WriteWindowUpdate(1, 100)).To(Succeed())
		Expect(p.pong()).To(Equal([]string{"data .....waits", "window"}))
	})

	It("of the server are wider by what the handler expects, until that has come", func() {
		const usual, expected = 64 << 10, 200 << 10
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
		Expect(p.WriteWindowUpdate(0, 1<<20)).To(Succeed())
		granted, sent := usual, 0
		exchange := func(data []byte) {
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 16<<10)
				p.send(1, false, rest[:n])
				rest = rest[n:]
			}
			sent += len(data)
			granted += p.widened(1)
		}
		p.open(1, false)
		exchange(message("expect"))
		Expect(granted-sent).To(Equal(usual+expected), "what the question took is given back with it")
		exchange(message(strings.Repeat("x", expected/2)))
		Expect(granted - sent).To(And(BeNumerically(">", 3*(usual+expected/2)/4), BeNumerically("<=", usual+expected/2)))
		exchange(message(strings.Repeat("x", expected/2)))
		Expect(granted-sent).To(BeNumerically("<=", usual), "the rest is the stream's as ever")
	})

	It("of the server are kept by the client, or the connection ends", func() {
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		p.open(1, false)
		p.send(1, false, append(message("waits"), 0, 1, 0, 0, 0)) // and the beginning of a long one
		for range 3 {
			p.send(1, false, make([]byte, 16<<10))
		}
		p.send(1, false, make([]byte, 16<<10-15))
		Expect(p.pong()).To(Equal([]string{opened}), "all of the window is used")
		p.send(1, false, []byte("x"))
		Expect(p.ends()).To(ContainElement("goaway FLOW_CONTROL_ERROR"))
	})

	It("let long frames through when the client takes them", func() {
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 15})
		p.SetMaxReadFrameSize(1 << 15)
		Expect(p.WriteWindowUpdate(0, 1<<20)).To(Succeed())
		p.open(1, false)
		for rest := message(strings.Repeat("x", 20<<10)); len(rest) > 0; {
			n := min(len(rest), 16<<10)
			p.send(1, false, rest[:n])
			rest = rest[n:]
		}
		Expect(p.next()).To(Equal(opened))
		f, err := p.ReadFrame()
		for _, isWindow := f.(*http2.WindowUpdateFrame); err == nil && isWindow; _, isWindow = f.(*http2.WindowUpdateFrame) {
			f, err = p.ReadFrame()
		}
		Expect(err).NotTo(HaveOccurred())
		Expect(f.Header().Length).To(BeEquivalentTo(20<<10 + 5))
	})
})
