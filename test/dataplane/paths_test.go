// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const modelList = `{"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"gpt-5"},{"id":"xai/grok-4.5","x":[1, 2]}]}`

var _ = Describe("Models", func() {
	It("are narrowed to what is allowed, with aliases", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", modelList))
		r := get("/narrow/v1/models?limit=500", id)
		Expect(r.status).To(Equal(200))
		Expect(r.body).To(Equal(`{"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"fast","x":[1, 2]}]}`))
		Expect(world.tls.requests(id)[0].RequestURI).To(Equal("/v1/models?limit=500"))
	})

	It("are narrowed behind a byte order mark too", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", "\xef\xbb\xbf"+modelList))
		Expect(get("/narrow/v1/models", id).body).To(HaveSuffix(`{"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"fast","x":[1, 2]}]}`))
	})

	It("are as TARS sends them where nothing is restricted", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", modelList))
		Expect(get("/v1/models", id).body).To(Equal(modelList))
	})

	It("are asked for by HEAD", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", modelList))
		r := send(request(id, "HEAD "+"/narrow/v1/models", nil))
		Expect(r.status).To(Equal(200))
		Expect(r.body).To(BeEmpty())
	})

	It("are shown one by one", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", `{"id":"xai/grok-4.5"}`))
		Expect(get("/narrow/v1/models/fast", id).body).To(Equal(`{"id":"fast"}`))
		Expect(world.tls.requests(id)[0].RequestURI).To(Equal("/v1/models/xai/grok-4.5"))
		other := newID()
		refused(get("/narrow/v1/models/gpt-5", other), other, "404 client model_not_found")
		Expect(world.tls.requests(other)).To(BeEmpty())
	})

	It("are asked for with a body, which changes nothing", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", modelList))
		r := send(request(id, "GET "+"/narrow/v1/models", strings.NewReader(`{"model":"gpt-5"}`)))
		Expect(r.body).To(Equal(`{"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"fast","x":[1, 2]}]}`))
	})
})

var _ = Describe("An unlisted path", func() {
	It("is forwarded with the key where that is configured", func() {
		id := newID()
		got := make(chan string, 1)
		world.tls.answer(id, func(_ http.ResponseWriter, r *http.Request) {
			body := readAll(r.Body)
			got <- body
		})
		Expect(post("/forward/v1/files/a%20b?c=d", id, "anything", "x-tarsbackend-model", "forged").status).To(Equal(200))
		Expect(<-got).To(Equal("anything"))
		r := world.tls.requests(id)[0]
		Expect(r.RequestURI).To(Equal("/v1/files/a%20b?c=d"))
		Expect(r.Header.Get("authorization")).To(Equal(credential))
		Expect(r.Header).NotTo(HaveKey("X-Tarsbackend-Model"))
	})

	It("passes both ways at once", func() {
		id := newID()
		world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
				GinkgoWriter.Println("upstream:", err)
			}
			for piece := make([]byte, 5); ; {
				n, err := io.ReadFull(r.Body, piece)
				write(w, string(piece[:n]))
				if err != nil {
					return
				}
			}
		})
		raw := dial()
		raw.write("POST /forward/v1/echo HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", id)
		resp, err := http.ReadResponse(raw.reader, nil)
		Expect(err).NotTo(HaveOccurred())
		read(resp.Body, "hello")
		raw.write("5\r\nworld\r\n")
		read(resp.Body, "world")
		raw.write("0\r\n\r\n")
		Expect(io.ReadAll(resp.Body)).To(BeEmpty())
		raw.close()
	})

	It("is answered before its body is read, and the client sees the answer", func() {
		id := newID()
		world.tls.answer(id, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInsufficientStorage)
		})
		r := post("/forward/v1/files", id, strings.Repeat("x", 10<<20))
		Expect(r.status).To(Equal(http.StatusInsufficientStorage))
	})
})

var _ = Describe("The canary", func() {
	It("tells the configuration and the route that answered", func() {
		id := newID()
		r := get("/narrow/v1/.well-known/tarsbackend/canary-of-narrow", id)
		Expect(r.status).To(Equal(200))
		Expect(r.header.Get("x-tarsbackend-config-hash")).To(MatchRegexp("^[0-9a-f]{16}$"))
		Expect(r.header.Get("x-tarsbackend-route-hash")).To(Equal("hash-of-narrow"))
		Expect(r.header.Get("x-tarsbackend-replica")).To(Equal("pod-of-the-test"))
		Expect(r.header.Get("cache-control")).To(Equal("no-store"))
		Expect(world.tls.requests(id)).To(BeEmpty())
	})

	It("is stamped on the answer of an earlier filter", func() {
		r := get("/secured/v1/.well-known/tarsbackend/canary-of-secured", newID())
		Expect(r.status).To(Equal(401))
		Expect(r.header.Get("x-tarsbackend-config-hash")).To(MatchRegexp("^[0-9a-f]{16}$"))
		Expect(r.header.Get("x-tarsbackend-route-hash")).To(Equal("hash-of-secured"))
	})
})

var _ = Describe("A client", func() {
	It("that waits for 100 Continue gets it", func() {
		id := newID()
		body := `{"model":"gpt"}`
		raw := dial()
		raw.write("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n", chatPath, id, len(body))
		line, err := raw.reader.ReadString('\n')
		Expect(err).NotTo(HaveOccurred())
		Expect(line).To(HavePrefix("HTTP/1.1 100"))
		_, err = raw.reader.ReadString('\n')
		Expect(err).NotTo(HaveOccurred())
		raw.write("%s", body)
		Expect(raw.response().status).To(Equal(200))
		raw.close()
	})

	It("may speak HTTP/2", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", chatAnswer))
		resp := overHTTP2(request(id, "POST "+chatPath, strings.NewReader(`{"model":"gpt"}`)))
		Expect(resp.status).To(Equal(200))
		Expect(resp.body).To(Equal(chatAnswer))
	})

	It("may not send trailers: Envoy would send the body twice", func() {
		for _, path := range []string{chatPath, "/forward/v1/files"} {
			id := newID()
			req := request(id, "POST "+path, io.NopCloser(strings.NewReader(`{"model":"gpt"}`)))
			req.Trailer = http.Header{"X-Other": {"y"}}
			refused(overHTTP2(req), id, "400 client trailers_not_supported")
		}
	})
})

// overHTTP2 sends a request in plain-text HTTP/2.
func overHTTP2(req *http.Request) reply {
	GinkgoHelper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.Proto).To(Equal("HTTP/2.0"))
	body, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.Body.Close()).To(Succeed())
	return reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
}
