// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
)

func TestBehaviour(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/tarsfake/behaviour")
}

// with is the normal behaviour with a change.
func with(change func(*behaviour.Behaviour)) behaviour.Behaviour {
	b := behaviour.Normal()
	change(&b)
	return b
}

var _ = Describe("Settings", func() {
	DescribeTable("set", func(name, value string, change func(*behaviour.Behaviour)) {
		b, err := behaviour.Parse(behaviour.Settings{name: value})
		Expect(err).NotTo(HaveOccurred())
		Expect(b).To(Equal(with(change)))
	},
		Entry(nil, "error", "429", func(b *behaviour.Behaviour) { b.Error = "429" }),
		Entry(nil, "error-after", "3", func(b *behaviour.Behaviour) { b.ErrorAfter = 3 }),
		Entry(nil, "status", "529", func(b *behaviour.Behaviour) { b.Status = 529 }),
		Entry(nil, "retry-after", "5", func(b *behaviour.Behaviour) { b.RetryAfter = "5" }),
		Entry(nil, "body", "{}", func(b *behaviour.Behaviour) { b.Body = "{}" }),
		Entry(nil, "content-type", "text/plain", func(b *behaviour.Behaviour) { b.ContentType = "text/plain" }),
		Entry(nil, "silent", "true", func(b *behaviour.Behaviour) { b.Silent = true }),
		Entry(nil, "silent", "false", func(*behaviour.Behaviour) {}),
		Entry(nil, "delay", "1m30s", func(b *behaviour.Behaviour) { b.Delay = 90 * time.Second }),
		Entry(nil, "chunks", "7", func(b *behaviour.Behaviour) { b.Chunks = 7 }),
		Entry(nil, "chunk-size", "1024", func(b *behaviour.Behaviour) { b.ChunkSize = 1024 }),
		Entry(nil, "gap", "5ms", func(b *behaviour.Behaviour) { b.Gap = 5 * time.Millisecond }),
		Entry(nil, "stall", "24h", func(b *behaviour.Behaviour) { b.Stall = 24 * time.Hour }),
		Entry(nil, "stall-after", "0", func(b *behaviour.Behaviour) { b.StallAfter = 0 }),
		Entry(nil, "cut", "before-headers", func(b *behaviour.Behaviour) { b.Cut.Where = behaviour.CutBeforeHeaders }),
		Entry(nil, "cut", "half", func(b *behaviour.Behaviour) { b.Cut.Where = behaviour.CutHalf }),
		Entry(nil, "cut", "0", func(b *behaviour.Behaviour) { b.Cut.Where = behaviour.CutBytes }),
		Entry(nil, "cut", "4096", func(b *behaviour.Behaviour) { b.Cut = behaviour.Cut{Where: behaviour.CutBytes, Bytes: 4096} }),
		Entry(nil, "split", "1", func(b *behaviour.Behaviour) { b.Split = 1 }),
		Entry(nil, "split-gap", "1ms", func(b *behaviour.Behaviour) { b.SplitGap = time.Millisecond }),
		Entry(nil, "usage", "absent", func(b *behaviour.Behaviour) { b.Usage = behaviour.UsageAbsent }),
		Entry(nil, "usage", "random", func(*behaviour.Behaviour) {}),
		Entry(nil, "usage", "1,2,1", func(b *behaviour.Behaviour) { b.Usage = "1,2,1" }),
		Entry(nil, "usage-null", "1", func(b *behaviour.Behaviour) { b.UsageNull = true }),
		Entry(nil, "anthropic-usage", "delta", func(b *behaviour.Behaviour) { b.AnthropicUsage = behaviour.OnDelta }),
		Entry(nil, "encoding", "gzip", func(b *behaviour.Behaviour) { b.Encoding = behaviour.Gzip }),
		Entry(nil, "eol", "crlf", func(b *behaviour.Behaviour) { b.EOL = "\r\n" }),
		Entry(nil, "eol", "lf", func(*behaviour.Behaviour) {}),
		Entry(nil, "comments", "true", func(b *behaviour.Behaviour) { b.Comments = true }),
		Entry(nil, "model", "m", func(b *behaviour.Behaviour) { b.Model = "m" }),
		Entry(nil, "content", "text", func(b *behaviour.Behaviour) { b.Content = "text" }),
	)

	DescribeTable("are refused:", func(name, value, why string) {
		_, err := behaviour.Parse(behaviour.Settings{name: value})
		Expect(err).To(MatchError(And(HavePrefix("x-fake-"+name+": "), ContainSubstring(why))))
	},
		Entry(nil, "error", "418", "is not an error"),
		Entry(nil, "error-after", "x", "is not a number"),
		Entry(nil, "status", "100", "is not a status"),
		Entry(nil, "status", "199", "is not a status"),
		Entry(nil, "status", "204", "is not a status"),
		Entry(nil, "status", "304", "is not a status"),
		Entry(nil, "status", "600", "is not a status"),
		Entry(nil, "body", "", "is empty"),
		Entry(nil, "silent", "maybe", "neither true nor false"),
		Entry(nil, "delay", "5", "is not a duration"),
		Entry(nil, "delay", "-1s", "is not a duration"),
		Entry(nil, "delay", "25h", "is not a duration"),
		Entry(nil, "chunks", "1000001", "from 0 to 1000000"),
		Entry(nil, "cut", "-1", "half or a number of bytes"),
		Entry(nil, "usage", "1", "nor counts"),
		Entry(nil, "usage", "some", "nor counts"),
		Entry(nil, "anthropic-usage", "end", "is not one of start, delta, both"),
		Entry(nil, "encoding", "br", "is not one of gzip, gzip-always"),
		Entry(nil, "eol", "crcr", "is not one of lf, crlf, cr"),
	)

	It("are told together when a name is unknown", func() {
		_, err := behaviour.Parse(behaviour.Settings{"nothing": "1"})
		Expect(err).To(MatchError(And(HavePrefix("x-fake-nothing is not a setting"), ContainSubstring("chunk-size, chunks"))))
	})

	DescribeTable("of a duration set the gap", func(settings behaviour.Settings, chunks int, gap time.Duration) {
		b, err := behaviour.Parse(settings)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.Chunks).To(Equal(chunks))
		Expect(b.Gap).To(Equal(gap))
	},
		Entry("a chunk a second", behaviour.Settings{"duration": "60s"}, 60, time.Second),
		Entry("ten chunks at least", behaviour.Settings{"duration": "1s"}, 10, 100*time.Millisecond),
		Entry("as many chunks as given", behaviour.Settings{"duration": "1s", "chunks": "4"}, 4, 250*time.Millisecond),
	)

	It("do not fill the memory", func() {
		_, err := behaviour.Parse(behaviour.Settings{"chunks": "1000000", "chunk-size": "1000"})
		Expect(err).To(MatchError("1000000 chunks of 1000 bytes are more than 268435456 bytes"))
	})

	It("come from headers, whose names have no case", func() {
		header := http.Header{}
		header.Set("X-FAKE-Error", "429")
		header.Set("accept", "*/*")
		header.Add("x-fake-delay", "1s")
		header.Add("x-fake-delay", "2s")
		Expect(behaviour.FromHeader(header)).To(Equal(behaviour.Settings{"error": "429", "delay": "1s"}))
	})

	It("go over others without changing them", func() {
		under := behaviour.Settings{"a": "1", "b": "1"}
		Expect(behaviour.Settings{"b": "2"}.Over(under)).To(Equal(behaviour.Settings{"a": "1", "b": "2"}))
		Expect(under).To(HaveKeyWithValue("b", "1"))
		Expect(behaviour.Settings{"b": "2"}.Over(nil)).To(Equal(behaviour.Settings{"b": "2"}))
	})
})

var _ = Describe("The queue", func() {
	It("is used by many at once without counting one twice", func() {
		var q behaviour.Queue
		Expect(q.Add(behaviour.Rule{Next: 50, Set: behaviour.Settings{"error": "503"}})).To(Succeed())
		hits := make(chan int)
		for range 10 {
			go func() {
				n := 0
				for range 20 {
					if q.Take("/", "") != nil {
						n++
					}
				}
				hits <- n
			}()
		}
		sum := 0
		for range 10 {
			sum += <-hits
		}
		Expect(sum).To(Equal(50))
		Expect(q.List()).To(BeEmpty())
	})

	It("is bounded", func() {
		var q behaviour.Queue
		for i := range 1000 {
			Expect(q.Add(behaviour.Rule{Path: fmt.Sprint(i), Set: behaviour.Settings{"error": "503"}})).To(Succeed())
		}
		Expect(q.Add(behaviour.Rule{Set: behaviour.Settings{"error": "503"}})).To(MatchError(ContainSubstring("1000 rules already")))
		q.Clear()
		Expect(q.Add(behaviour.Rule{Set: behaviour.Settings{"error": "503"}})).To(Succeed())
	})
})
