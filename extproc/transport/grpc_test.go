// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/tars-operator/tars-operator/extproc/transport"
)

// same compares long texts that nobody wants to see in a failure.
func same(a, b string) bool { return a == b }

// raw is a codec for messages that are bytes.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// talk opens a stream with gRPC's own client.
func talk(address, method string, options ...grpc.CallOption) grpc.ClientStream {
	GinkgoHelper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(conn.Close)
	return talkOn(conn, method, options...)
}

func talkOn(conn *grpc.ClientConn, method string, options ...grpc.CallOption) grpc.ClientStream {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(cancel)
	options = append(options, grpc.ForceCodecV2(raw{}), grpc.MaxCallRecvMsgSize(64<<20))
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, options...)
	Expect(err).NotTo(HaveOccurred())
	return stream
}

func ask(stream grpc.ClientStream, text string) (string, error) {
	message := []byte(text)
	if err := stream.SendMsg(&message); err != nil {
		return "", err
	}
	var got []byte
	err := stream.RecvMsg(&got)
	return string(got), err
}

var _ = Describe("gRPC's own client", func() {
	It("talks in messages of any length, and ends", func() {
		r := start()
		stream := talk(r.address, path)
		for _, n := range []int{0, 1, 5, 16<<10 - 5, 16 << 10, 64 << 10, 1 << 20, 20 << 20, 3} {
			text := string(bytes.Repeat([]byte("m"), n))
			got, err := ask(stream, text)
			Expect(err).NotTo(HaveOccurred())
			Expect(same(got, text)).To(BeTrue(), "%d bytes came back as %d", n, len(got))
		}
		Expect(stream.CloseSend()).To(Succeed())
		var none []byte
		Expect(stream.RecvMsg(&none)).To(MatchError(io.EOF))
	})

	It("has many streams on one connection", func() {
		r := start()
		conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(conn.Close)
		var all sync.WaitGroup
		for range 50 {
			stream := talkOn(conn, path)
			all.Go(func() {
				defer GinkgoRecover()
				for n := range 40 {
					text := string(bytes.Repeat([]byte{byte('a' + n%26)}, n*1000))
					got, err := ask(stream, text)
					Expect(err).NotTo(HaveOccurred())
					Expect(same(got, text)).To(BeTrue())
				}
				Expect(stream.CloseSend()).To(Succeed())
			})
		}
		all.Wait()
		Expect(r.all()).To(HaveLen(50))
	})

	It("is told why a stream ends", func() {
		r := start()
		_, err := ask(talk(r.address, path), "fail")
		Expect(status.Code(err)).To(Equal(codes.InvalidArgument))
		Expect(status.Convert(err).Message()).To(Equal("not so: 100 %\n"))
		_, err = ask(talk(r.address, path), "break")
		Expect(err).To(MatchError(And(ContainSubstring("Unknown"), ContainSubstring("of no status"))))
		_, err = ask(talk(r.address, "/test.Service/Other"), "x")
		Expect(err).To(MatchError(And(ContainSubstring("Unimplemented"), ContainSubstring("/test.Service/Other"))))
		_, err = ask(talk(r.address, "/"+strings.Repeat("%", 12_000)), "x")
		Expect(status.Code(err)).To(Equal(codes.Unimplemented), "what is quoted is cut, to fit into one frame")
		_, err = ask(talk(r.address, path, grpc.UseCompressor(gzip.Name)), "x")
		Expect(err).To(MatchError(ContainSubstring("compressed")))
	})

	It("goes on with its streams while the server drains, and begins none", func() {
		r := start()
		conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(conn.Close)
		stream := talkOn(conn, path)
		Expect(ask(stream, "before")).To(Equal("before"))
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			r.GracefulStop()
		}()
		Eventually(r.ended).WithTimeout(timeout).Should(Receive(MatchError(transport.ErrServerClosed)))
		r.ended <- transport.ErrServerClosed // for the cleanup
		Expect(ask(stream, "during")).To(Equal("during"))
		_, err = conn.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path)
		Expect(status.Code(err)).To(Equal(codes.Unavailable))
		Consistently(drained).WithTimeout(20 * poll).ShouldNot(BeClosed())
		Expect(stream.CloseSend()).To(Succeed())
		Eventually(drained).WithTimeout(timeout).Should(BeClosed())
		r.GracefulStop()
	})

	It("goes on without a long message that there is no memory for", func() {
		r := start()
		const left = 200 << 10
		Expect(r.budget.Acquire(budgetSize - left)).To(BeTrue())
		stream := talk(r.address, path)
		long := strings.Repeat("x", 300<<10)
		text := []byte(long)
		Expect(stream.SendMsg(&text)).To(Succeed())
		Expect(ask(stream, "short")).To(Equal("short"))
		Expect(r.budget.Held()).To(BeEquivalentTo(budgetSize - left))
		messages, _, _ := r.last().counts()
		Expect([]int{messages, r.last().full}).To(Equal([]int{1, 1}))
		r.budget.Release(budgetSize - left)
		reply, err := ask(stream, long)
		Expect(err).NotTo(HaveOccurred())
		Expect(same(reply, long)).To(BeTrue())
		Expect(r.last().full).To(Equal(1))
	})

	It("takes no memory for a short message, nor for one that is announced", func() {
		r := start()
		Expect(r.budget.Acquire(budgetSize)).To(BeTrue())
		defer r.budget.Release(budgetSize)
		Expect(ask(talk(r.address, path), strings.Repeat("x", 64<<10-1000))).To(HaveLen(64<<10 - 1000))
	})

	It("gives the memory of a message back that is never whole", func() {
		r := start()
		for _, end := range []func(*peer){
			func(p *peer) { Expect(p.WriteRSTStream(1, http2.ErrCodeCancel)).To(Succeed()) },
			func(p *peer) { p.send(1, true, nil) },
			func(p *peer) { Expect(p.conn.(*net.TCPConn).CloseWrite()).To(Succeed()) },
		} {
			const id = 1
			p := connect(r)
			p.open(id, false)
			p.widened(id)
			part := message(strings.Repeat("x", 200<<10))[:120<<10]
			for len(part) > 0 {
				n := min(len(part), 16<<10)
				p.send(id, false, part[:n])
				p.widened(id)
				part = part[n:]
			}
			Expect(r.budget.Held()).To(BeNumerically(">=", 120<<10))
			end(p)
			Eventually(r.budget.Held).WithTimeout(timeout).WithPolling(poll).Should(BeZero())
		}
	})

	It("is told that the server drains, and cut, although another peer does not read", func() {
		r := start()
		deaf := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
		Expect(deaf.WriteWindowUpdate(0, 1<<30)).To(Succeed())
		deaf.open(1, false)
		var sent atomic.Int64
		go func() {
			for deaf.WriteData(1, false, message(strings.Repeat("x", 8000))) == nil {
				sent.Add(1)
			}
		}()
		before := int64(-1)
		Eventually(func() bool { // until what it has not read is in nobody's way but its own
			stuck := sent.Load() == before
			before = sent.Load()
			return stuck
		}).WithTimeout(timeout).WithPolling(100 * poll).Should(BeTrue())
		others := make([]*peer, 8)
		for i := range others {
			others[i] = connect(r)
			others[i].open(1, false)
		}
		go r.GracefulStop()
		for _, other := range others {
			Expect(other.conn.SetDeadline(time.Now().Add(timeout / 5))).To(Succeed())
			other.until(func(f http2.Frame) bool { _, ok := f.(*http2.GoAwayFrame); return ok })
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			r.Stop()
		}()
		Eventually(stopped).WithTimeout(timeout / 5).Should(BeClosed())
	})

	It("is cut when the server stops", func() {
		r := start()
		stream := talk(r.address, path)
		Expect(ask(stream, "before")).To(Equal("before"))
		r.Stop()
		_, err := ask(stream, "after")
		Expect(err).To(HaveOccurred())
		Expect(r.Serve(listener())).To(MatchError(transport.ErrServerClosed))
	})
})
