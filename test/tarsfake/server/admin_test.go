// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/certs"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

const invalidKey = `{"error":{"code":401,"message":"Invalid API key"}}`

var _ = Describe("A key", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	DescribeTable("is refused when it is", func(header ...string) {
		for _, path := range []string{"/v1/models", "/v1/models/gpt-4o-mini"} {
			a := f.get(path, header...)
			Expect(a.Status).To(Equal(http.StatusUnauthorized))
			Expect(a.Body).To(Equal(invalidKey))
			Expect(f.last().KeyKnown).To(BeFalse())
		}
		a := f.ask(reply.Chat, chat, header...)
		Expect(a.Status).To(Equal(http.StatusUnauthorized))
		Expect(a.Body).To(Equal(invalidKey))
	},
		Entry("unknown", bearer, "Bearer sk-unknown"),
		Entry("missing", bearer, ""),
		Entry("empty", bearer, "Bearer "),
		Entry("not a bearer's", bearer, "Basic "+keys.DemoKey),
		Entry("without its scheme", bearer, keys.DemoKey),
		Entry("in x-api-key alone", bearer, "", "x-api-key", keys.DemoKey),
		Entry("in x-tars-api-key alone", bearer, "", "x-tars-api-key", keys.DemoKey),
		Entry("beside an Authorization that is wrong", bearer, "Bearer no", "x-api-key", "a", "x-tars-api-key", keys.DemoKey),
		Entry("beside an Authorization of another kind", bearer, "Basic no", "x-api-key", "a", "x-tars-api-key", keys.DemoKey),
	)

	It("is not told to come from anywhere when there is none", func() {
		for _, value := range []string{"", "Bearer ", keys.DemoKey} {
			f.get("/v1/models", bearer, value)
			Expect(f.last()).To(And(HaveField("Key", ""), HaveField("KeyFrom", "")))
		}
	})

	It("is told by its fingerprint even when it is refused", func() {
		f.get("/v1/models", bearer, "Bearer sk-unknown")
		Expect(f.last().Key).To(Equal(keys.Fingerprint("sk-unknown")))
	})

	It("comes in x-tars-api-key beside the caller's own one", func() {
		Expect(f.get("/v1/models", bearer, "", "x-api-key", "sk-ant", "x-tars-api-key", keys.DemoKey).Status).To(Equal(http.StatusOK))
		entry := f.last()
		Expect(entry.Passthrough).To(BeTrue())
		Expect(entry.KeyFrom).To(Equal("x-tars-api-key"))
		f.get("/v1/models", "x-api-key", "sk-ant", "x-tars-api-key", "sk-other")
		Expect(f.last().KeyFrom).To(Equal("authorization"))
		Expect(f.last().Passthrough).To(BeFalse())
	})

	It("comes and goes while the server runs", func() {
		const key = "sk-new"
		Expect(f.get("/v1/models", bearer, "Bearer "+key).Status).To(Equal(http.StatusUnauthorized))

		a := f.admin("POST", "/keys", `{"key":"sk-new","models":["m1","a/m2"]}`)
		Expect(a.Status).To(Equal(http.StatusCreated))
		Expect(a.Body).To(MatchJSON(`{"fingerprint":"` + keys.Fingerprint(key) + `","models":["m1","a/m2"]}`))
		Expect(at(parsed(f.get("/v1/models", bearer, "Bearer "+key).Body), "data")).To(HaveLen(2))
		Expect(f.get("/v1/models/a/m2", bearer, "Bearer "+key).Status).To(Equal(http.StatusOK))
		Expect(f.ask(reply.Chat, chat, bearer, "Bearer "+key).Status).To(Equal(http.StatusNotFound), "that model is not this key's")
		Expect(f.admin("GET", "/keys", "").Body).To(And(
			ContainSubstring(keys.Fingerprint(key)), ContainSubstring(keys.Fingerprint(keys.DemoKey))))

		Expect(f.admin("DELETE", "/keys/"+keys.Fingerprint(key), "").Status).To(Equal(http.StatusNoContent))
		Expect(f.get("/v1/models", bearer, "Bearer "+key).Body).To(Equal(invalidKey))
		Expect(f.admin("DELETE", "/keys/"+keys.DemoKey, "").Status).To(Equal(http.StatusNoContent))
		Expect(f.get("/v1/models").Status).To(Equal(http.StatusUnauthorized))
		Expect(f.admin("DELETE", "/keys/"+keys.DemoKey, "").Status).To(Equal(http.StatusNotFound))
	})
})

var _ = Describe("The admin API", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	// statuses are those of so many model lists.
	statuses := func(n int) []int {
		GinkgoHelper()
		var all []int
		for range n {
			all = append(all, f.get("/v1/models").Status)
		}
		return all
	}

	It("says that it is healthy, and whom to trust", func() {
		Expect(f.admin("GET", "/healthz", "").Body).To(Equal("ok\n"))
		a := f.admin("GET", "/ca.crt", "")
		Expect(a.Body).To(Equal(string(f.CA())))
		Expect(a.Body).To(HavePrefix("-----BEGIN CERTIFICATE-----"))
	})

	It("has no authority that it was not given", func() {
		bundle, err := certs.Generate([]string{"localhost"})
		Expect(err).NotTo(HaveOccurred())
		bundle.CA = nil
		Expect(start(server.Options{Bundle: bundle}).admin("GET", "/ca.crt", "").Status).To(Equal(http.StatusNotFound))
	})

	It("asks for a behaviour of the next requests, rule after rule", func() {
		f.wish(`{"next":2,"set":{"error":"503"}}`)
		f.wish(`{"set":{"error":"429","retry-after":"9"}}`)
		Expect(f.admin("GET", "/behaviour", "").Body).To(MatchJSON(
			`[{"next":2,"set":{"error":"503"}},{"next":1,"set":{"error":"429","retry-after":"9"}}]`))
		Expect(statuses(4)).To(Equal([]int{503, 503, 429, 200}))
		Expect(f.admin("GET", "/behaviour", "").Body).To(MatchJSON(`[]`))
	})

	It("asks for a behaviour of every request, until that is deleted", func() {
		f.wish(`{"next":-1,"set":{"error":"402"}}`)
		Expect(statuses(3)).To(Equal([]int{402, 402, 402}))
		Expect(f.admin("DELETE", "/behaviour", "").Status).To(Equal(http.StatusNoContent))
		Expect(statuses(1)).To(Equal([]int{200}))
	})

	It("asks for a behaviour of one path or one key", func() {
		f.wish(`{"path":"/v1/chat/completions","set":{"error":"503"}}`)
		f.wish(`{"next":-1,"key":"` + keys.Fingerprint("sk-other") + `","set":{"error":"402"}}`)
		Expect(statuses(2)).To(Equal([]int{200, 200}))
		Expect(f.get("/v1/models", bearer, "Bearer sk-other").Status).To(Equal(402))
		Expect(f.ask(reply.Chat, chat).Status).To(Equal(503))
		Expect(f.ask(reply.Chat, chat).Status).To(Equal(200))
	})

	It("lets a request's own wishes win, one by one", func() {
		f.wish(`{"set":{"error":"429","retry-after":"9"}}`)
		a := f.get("/v1/models", "x-fake-error", "503")
		Expect(a.Status).To(Equal(503))
		Expect(a.Header.Get("retry-after")).To(Equal("9"))
		Expect(f.last().Behaviour).To(Equal(map[string]string{"error": "503", "retry-after": "9"}))
	})

	DescribeTable("refuses", func(method, path, body string, status int, why string) {
		a := f.admin(method, path, body)
		Expect(a.Status).To(Equal(status))
		Expect(a.Body).To(ContainSubstring(why))
		Expect(f.admin("GET", "/behaviour", "").Body).To(MatchJSON(`[]`))
	},
		Entry("a rule without settings", "POST", "/behaviour", `{"next":1}`, 400, "name at least one setting"),
		Entry("a setting that isn't there", "POST", "/behaviour", `{"set":{"eror":"429"}}`, 400, "x-fake-eror is not a setting"),
		Entry("an unknown field", "POST", "/behaviour", `{"settings":{"error":"429"}}`, 400, "unknown field"),
		Entry("a negative number", "POST", "/behaviour", `{"next":-2,"set":{"error":"429"}}`, 400, "next: -2"),
		Entry("two documents", "POST", "/behaviour", `{"set":{"error":"429"}} {}`, 400, "one JSON document"),
		Entry("no JSON", "POST", "/keys", `sk-x`, 400, "the body"),
		Entry("an empty key", "POST", "/keys", `{"models":["m"]}`, 400, "must not be empty"),
		Entry("an unknown path", "GET", "/nothing", "", 404, "not found"),
		Entry("a wrong method", "POST", "/ledger", "", 405, "Method Not Allowed"),
	)
})
