// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// zipped is a text as gzip.
func zipped(text string) string {
	GinkgoHelper()
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	_, err := writer.Write([]byte(text))
	Expect(err).NotTo(HaveOccurred())
	Expect(writer.Close()).To(Succeed())
	return buffer.String()
}

// compressed answers in gzip, whether it was asked for or not.
func compressed(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-encoding", "gzip")
		respond(http.StatusOK, contentType, zipped(text))(w, r)
	}
}

// arrived answers 200 and tells what came.
func arrived(id string) <-chan string {
	got := make(chan string, 1)
	world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
		got <- fmt.Sprint(r.Method, " ", readAll(r.Body))
		w.Header().Set("access-control-allow-origin", "https://app.example.com")
		w.WriteHeader(http.StatusOK)
	})
	return got
}

// preflight are a browser's headers before a request to another origin.
func preflight() []string {
	return []string{
		"origin", "https://app.example.com", "access-control-request-method", "POST",
		"access-control-request-headers", "authorization,content-type",
	}
}

var _ = Describe("A request with Expect: 100-continue", func() {
	const head = "POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n"

	DescribeTable("that passes is told to go on, and TARS does not see it",
		func(path string) {
			id := newID()
			got := arrived(id)
			raw := dial()
			raw.write(head, path, id, len(asked))
			Expect(raw.response().status).To(Equal(http.StatusContinue))
			raw.write("%s", asked)
			Expect(raw.response().status).To(Equal(http.StatusOK))
			raw.close()
			Expect(<-got).To(Equal("POST " + asked))
			Expect(world.tls.requests(id)[0].Header).NotTo(HaveKey("Expect"))
		},
		Entry("to a chat", chatPath), Entry("to messages", "/v1/messages"), Entry("to an unlisted path", "/forward/v1/files"),
	)

	It("that is refused gets its answer without a body being sent", func() {
		id := newID()
		raw := dial()
		raw.write(head, "/narrow"+chatPath, id, 5000)
		r := raw.response()
		if r.status == http.StatusContinue { // Envoy may say so before we see the request
			r = raw.response()
		}
		refused(r, id, "413 client request_too_large")
		raw.close()
		Expect(world.tls.requests(id)).To(BeEmpty())
	})
})

var _ = Describe("A request in chunks", func() {
	DescribeTable("arrives whole",
		func(path string) {
			id := newID()
			got := arrived(id)
			raw := dial()
			raw.write("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n", path, id)
			raw.write("%x;extension=1\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 5, asked[:5], len(asked)-5, asked[5:])
			Expect(raw.response().status).To(Equal(http.StatusOK))
			raw.close()
			Expect(<-got).To(Equal("POST " + asked))
		},
		Entry("at embeddings", "/v1/embeddings"), Entry("at an unlisted path", "/forward/v1/files"),
	)

	It("of which there is none has no body", func() {
		id := newID()
		refused(rawly("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
			chatPath, id), id, "400 client invalid_json")
		Expect(world.tls.requests(id)).To(BeEmpty())
	})
})

var _ = Describe("A request without a body", func() {
	It("passes on an unlisted path", func() {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			id := newID()
			got := arrived(id)
			Expect(send(request(id, method+" /forward/v1/files", nil)).status).To(Equal(http.StatusOK))
			Expect(<-got).To(Equal(method + " "))
			Expect(world.tls.requests(id)[0].Header.Get("authorization")).To(Equal(credential))
		}
	})
})

var _ = Describe("HEAD", func() {
	DescribeTable("is answered without a body",
		func(path string, status int) {
			id := newID()
			got := arrived(id)
			r := send(request(id, "HEAD "+path, nil))
			Expect(r.status).To(Equal(status))
			Expect(r.body).To(BeEmpty())
			Expect(r.header.Get("x-request-id")).To(Equal(id))
			if status == http.StatusOK {
				Expect(<-got).To(Equal("HEAD "))
				return
			}
			Expect(r.header.Get("x-tarsbackend-error-source")).To(Equal("client"))
			Expect(world.tls.requests(id)).To(BeEmpty())
		},
		Entry("on a chat", chatPath, 405), Entry("on messages", "/v1/messages", 405), Entry("on models", "/narrow/v1/models", 200),
		Entry("on a model", "/narrow/v1/models/fast", 200), Entry("on a model that is not allowed", "/narrow/v1/models/gpt-5", 404),
		Entry("on an unlisted path", "/narrow/v1/files", 404), Entry("on an unlisted path that is forwarded", "/forward/v1/files", 200),
	)
})

var _ = Describe("OPTIONS of a browser", func() {
	DescribeTable("is refused where the platform has no policy for it",
		func(path, want, allow string) {
			id := newID()
			r := send(request(id, "OPTIONS "+path, nil, preflight()...))
			refused(r, id, want)
			Expect(r.header.Get("allow")).To(Equal(allow))
			Expect(r.header).NotTo(HaveKey("Access-Control-Allow-Origin"))
			Expect(world.tls.requests(id)).To(BeEmpty())
		},
		Entry("on a chat", chatPath, "405 client method_not_allowed", "POST"),
		Entry("on models", "/v1/models", "405 client method_not_allowed", "GET, HEAD"),
		Entry("on an unlisted path", "/narrow/v1/files", "404 client unknown_url", ""),
	)

	DescribeTable("is answered by the platform's policy where it has one",
		func(path string) {
			id := newID()
			r := send(request(id, "OPTIONS /browser"+path, nil, preflight()...))
			Expect([]string{fmt.Sprint(r.status), r.header.Get("access-control-allow-origin"), r.header.Get("access-control-allow-methods")}).
				To(Equal([]string{"200", "https://app.example.com", "POST"}))
			Expect(world.tls.requests(id)).To(BeEmpty())
		},
		Entry("on a chat", chatPath), Entry("on messages", "/v1/messages"), Entry("on an unlisted path", "/v1/files"),
	)

	It("may then ask, and may read the answer, also of an error", func() {
		for body, want := range map[string]int{asked: http.StatusOK, `{}`: http.StatusBadRequest} {
			id := newID()
			world.tls.answer(id, respond(http.StatusOK, "application/json", chatAnswer))
			r := post("/browser"+chatPath, id, body, "origin", "https://app.example.com")
			Expect(r.status).To(Equal(want))
			Expect(r.header.Get("access-control-allow-origin")).To(Equal("https://app.example.com"))
			Expect(r.header.Get("access-control-expose-headers")).To(Equal("x-request-id"))
		}
		r := post("/browser"+chatPath, newID(), `{}`, "origin", "https://elsewhere.example.com")
		Expect(r.header).NotTo(HaveKey("Access-Control-Allow-Origin"))
	})

	It("on a forwarded path is TARS's to answer", func() {
		id := newID()
		got := arrived(id)
		r := send(request(id, "OPTIONS /forward/v1/files", nil, preflight()...))
		Expect(r.status).To(Equal(http.StatusOK))
		Expect(r.header.Get("access-control-allow-origin")).To(Equal("https://app.example.com"))
		Expect(<-got).To(Equal("OPTIONS "))
		Expect(world.tls.requests(id)[0].Header.Get("origin")).To(Equal("https://app.example.com"))
	})
})

var _ = Describe("An upgrade", func() {
	const head = "GET %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\nconnection: %s\r\nupgrade: %s\r\n" +
		"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nhttp2-settings: AAMAAABk\r\n\r\n"

	DescribeTable("to a WebSocket is refused, and does not hang",
		func(path, want string) {
			id := newID()
			refused(rawly(head, path, id, "Upgrade", "websocket"), id, want)
			Expect(world.tls.requests(id)).To(BeEmpty())
		},
		Entry("on a forwarded path", "/forward/v1/realtime?model=gpt-5", "400 client upgrade_not_supported"),
		Entry("on an unlisted path", "/narrow/v1/realtime", "404 client unknown_url"),
		Entry("on models", "/v1/models", "400 client upgrade_not_supported"),
		Entry("on a chat", chatPath, "405 client method_not_allowed"),
	)

	It("to HTTP/2 is passed over", func() {
		id := newID()
		world.tls.answer(id, respond(http.StatusOK, "application/json", modelList))
		Expect(rawly(head, "/v1/models", id, "Upgrade, HTTP2-Settings", "h2c").body).To(Equal(modelList))
		Expect(world.tls.requests(id)[0].Header).NotTo(HaveKey("Upgrade"))
	})
})

var _ = Describe("An answer that is compressed although that was not asked for", func() {
	DescribeTable("passes as it is, and its usage is missed",
		func(path, contentType, text string) {
			id := newID()
			world.tls.answer(id, compressed(contentType, text))
			r := post(path, id, `{"model":"gpt","stream":true}`, "accept-encoding", "gzip")
			Expect(r.status).To(Equal(http.StatusOK))
			Expect(r.header.Get("content-encoding")).To(Equal("gzip"))
			Expect(r.body).To(Equal(zipped(text)))
			Expect(world.tls.requests(id)[0].Header.Get("accept-encoding")).To(Equal("identity"))
			Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("estimated", true))
			Eventually(func() []string { return world.main.metrics("tars_usage_missing_total{") }).WithTimeout(stepTimeout).WithPolling(poll).
				Should(ContainElement(MatchRegexp(`path="` + path + `",tarsbackend="default/open"} [1-9]`)))
		},
		Entry("whole", "/v1/embeddings", "application/json", chatAnswer),
		Entry("as a stream", "/v1/responses", "text/event-stream", delta+usageChunk+done),
	)

	It("is refused where it would have to be narrowed", func() {
		id := newID()
		world.tls.answer(id, compressed("application/json", modelList))
		refused(get("/narrow/v1/models", id, "accept-encoding", "gzip"), id, "502 extproc model_list_unreadable")
	})
})

var _ = Describe("An answer that is compressed because the app asked for it", func() {
	It("passes as it is where a forwarded path is only read", func() {
		id := newID()
		world.tls.answer(id, compressed("application/json", strings.Repeat("a", 1000)))
		r := get("/forward/v1/files/1/content", id, "accept-encoding", "gzip")
		Expect(r.body).To(Equal(zipped(strings.Repeat("a", 1000))))
		Expect(world.tls.requests(id)[0].Header.Get("accept-encoding")).To(Equal("gzip"))
	})

	It("is not, where a forwarded path costs tokens: they are to be read", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", "{"+told+"}"))
		Expect(post("/forward/v1/images/generations", id, "{}", "accept-encoding", "gzip, deflate").status).To(Equal(200))
		Expect(world.tls.requests(id)[0].Header.Get("accept-encoding")).To(Equal("identity"))
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 7.0))
	})
})
