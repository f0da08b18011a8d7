// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"errors"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	prompt = `{"model":"gpt","messages":[{"role":"user","content":"12345678"}]}` // two tokens by estimate
	told   = `"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}`
)

// tars are the facts that an access log has of a request.
func tars(total float64, estimated bool) OmegaMatcher {
	return And(HaveKeyWithValue("total_tokens", total), HaveKeyWithValue("estimated", estimated))
}

var _ = Describe("The usage of an answer", func() {
	DescribeTable("is counted, however it is told",
		func(status int, contentType, answer string, want OmegaMatcher) {
			id := newID()
			world.tls.answer(id, respond(status, contentType, answer))
			r := post(chatPath, id, prompt)
			Expect(r.status).To(Equal(status))
			Expect(r.body).To(Equal(answer))
			Expect(world.envoy.line(id).Tars).To(want)
		},
		Entry("with another status of success", 206, "application/json", "{"+told+"}", tars(7, false)),
		Entry("as what is called text", 200, "text/plain", "{"+told+"}", tars(7, false)),
		Entry("behind a byte order mark", 200, "application/json", "\xef\xbb\xbf{"+told+"}", tars(7, false)),
		Entry("beside what Python takes for numbers", 200, "application/json", `{"choices":[{"logprobs":[NaN,-Infinity]}],`+told+"}", tars(7, false)),
		Entry("with reasons beside the output", 200, "application/json",
			`{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":12,"completion_tokens_details":{"reasoning_tokens":5}}}`,
			And(tars(12, false), HaveKeyWithValue("output_tokens", 9.0))),
		Entry("with the cached tokens that were written", 200, "application/json",
			`{"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":2}}}`,
			And(tars(7, false), HaveKeyWithValue("cached_input_tokens", 1.0), HaveKeyWithValue("cache_creation_input_tokens", 2.0))),
		Entry("with thoughts in the total alone", 200, "application/json", `{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135}}`,
			And(tars(135, false), HaveKeyWithValue("output_tokens", 103.0))),
		Entry("in turns that its sums leave out", 200, "application/json",
			`{"usage":{"input_tokens":3,"output_tokens":4,"iterations":[{"type":"compaction","input_tokens":100,"output_tokens":20},{"type":"message","input_tokens":3,"output_tokens":4}]}}`,
			And(tars(127, false), HaveKeyWithValue("input_tokens", 103.0))),
		Entry("in a total alone, of which nobody knows the parts", 200, "application/json", `{"usage":{"total_tokens":100}}`, tars(100, true)),
		Entry("by half, which would pass for all", 200, "application/json", `{"choices":[{"message":{"content":"12345678"}}],"usage":{"prompt_tokens":3}}`, tars(5, true)),
		Entry("not at all", 200, "application/json", `{"choices":[{"message":{"content":"12345678"}}]}`, tars(4, true)),
		Entry("with an error of TARS", 502, "application/json", `{"error":{"message":"x"}}`, tars(0, false)),
	)

	It("of embeddings is their input, or their total", func() {
		for _, field := range []string{"prompt_tokens", "total_tokens"} {
			id := newID()
			world.tls.answer(id, respond(http.StatusOK, "application/json", `{"usage":{"`+field+`":8}}`))
			Expect(post("/v1/embeddings", id, `{"model":"e","input":"a"}`).status).To(Equal(http.StatusOK))
			Expect(world.envoy.line(id).Tars).To(And(tars(8, false), HaveKeyWithValue("output_tokens", 0.0)))
		}
	})

	It("is read of a stream that does not say that it is one, and what only we asked for is taken out", func() {
		id := newID()
		world.tls.answer(id, respond(http.StatusOK, "text/plain", delta+usageChunk+done))
		Expect(post(chatPath, id, streamBody).body).To(Equal(delta + done))
		Expect(world.envoy.line(id).Tars).To(tars(7, false))
	})

	It("is estimated where a stream of messages ends without its last counts", func() {
		id := newID()
		world.tls.answer(id, func(w http.ResponseWriter, _ *http.Request) {
			write(w, `data: {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}`+"\n\n",
				`data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"`+strings.Repeat("x", 400)+`"}}`+"\n\n")
		})
		Expect(post("/v1/messages", id, `{"model":"claude","stream":true,"messages":[]}`).status).To(Equal(http.StatusOK))
		Expect(world.envoy.line(id).Tars).To(tars(110, true))
	})

	It("stays in a stream beside an error, although the app did not ask for it", func() {
		id := newID()
		last := `data: {"error":{"code":502},"choices":[],` + told + "}\n\n"
		world.tls.answer(id, func(w http.ResponseWriter, _ *http.Request) { write(w, delta, last) })
		Expect(post(chatPath, id, streamBody).body).To(Equal(delta + last))
		Expect(world.envoy.line(id).Tars).To(And(tars(7, false), HaveKeyWithValue("error_class", "server")))
	})

	It("is counted where TARS answers before it has the whole request", func() {
		id := newID()
		got := make(chan int, 1)
		sent := strings.Replace(prompt, "12345678", strings.Repeat("x", 10<<20), 1)
		world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
			now := http.NewResponseController(w)
			err := now.EnableFullDuplex()
			w.Header().Set("content-type", "application/json")
			_, begun := io.WriteString(w, `{"choices":[{"message":{"content":"hi"}}],`)
			err = errors.Join(err, begun, now.Flush())
			got <- len(readAll(r.Body))
			_, ended := io.WriteString(w, told+"}")
			GinkgoWriter.Println("upstream:", errors.Join(err, ended))
		})
		r := post(chatPath, id, sent)
		Expect(r.status).To(Equal(http.StatusOK))
		Expect(r.body).To(HaveSuffix(told + "}"))
		Expect(<-got).To(Equal(len(sent)))
		Expect(world.envoy.line(id).Tars).To(tars(7, false))
	})

	DescribeTable("of an unlisted path is charged once, by what makes the answer",
		func(method string, total float64) {
			id := newID()
			world.tls.answer(id, respond(http.StatusOK, "application/json", `{"model":"images-`+strings.ToLower(method)+`",`+told+"}"))
			Expect(send(request(id, method+" /forward/v1/images/1", nil)).status).To(Equal(http.StatusOK))
			Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", total))
			inMetrics := ContainElement(ContainSubstring(`gen_ai_operation_name="_other"`))
			series := func() []string {
				return world.main.metrics(`gen_ai_client_token_usage_sum{gen_ai_operation_name="_other",gen_ai_provider_name="openai",gen_ai_request_model="_other",gen_ai_response_model="images-` + strings.ToLower(method))
			}
			if total == 0 {
				Consistently(series).Should(BeEmpty())
				return
			}
			Eventually(series).WithTimeout(stepTimeout).WithPolling(poll).Should(inMetrics)
		},
		Entry("a POST", "POST", 7.0), Entry("a PUT", "PUT", 7.0), Entry("a GET", "GET", 0.0), Entry("a DELETE", "DELETE", 0.0),
	)

	DescribeTable("of an unlisted path is charged when its stream breaks off",
		func(method string, total float64) {
			id, sent := newID(), "data: {"+told+"}\n\n"
			seen := make(chan struct{})
			world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
				write(w, sent)
				<-seen
				resetStream(w, r)
			})
			resp, err := world.client.Do(request(id, method+" /forward/v1/images/1", nil))
			Expect(err).NotTo(HaveOccurred())
			read(resp.Body, sent)
			close(seen)
			_, err = io.ReadAll(resp.Body)
			Expect(err).To(HaveOccurred())
			Expect(resp.Body.Close()).To(Succeed())
			Expect(world.envoy.line(id).Tars).To(And(HaveKeyWithValue("total_tokens", total), Not(HaveKeyWithValue("estimated", true))))
		},
		Entry("by what it told", "POST", 7.0),
		Entry("but not where it is only read", "GET", 0.0),
	)
})

var _ = Describe("An answer of the gateway itself", func() {
	It("keeps each value of a header that has several", func() {
		Expect(post("/cookies"+chatPath, newID(), prompt).status).To(Equal(http.StatusOK))
		id := newID()
		r := post("/cookies"+chatPath, id, prompt)
		refused(r, id, "429 limit rate_limit_exceeded")
		Expect(r.header.Values("set-cookie")).To(Equal([]string{"a=b", "c=d"}))
		Expect(r.header.Values("x-request-id")).To(Equal([]string{id}))
	})
})
