// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// aliased allows every model, and calls one otherwise.
func aliased(r *config.Route) { r.Aliases = []config.Alias{{Name: "fast", Model: "xai/grok-4.5"}} }

var _ = Describe("A request that names models beside its own", func() {
	const own = `{"model":"claude-1",`

	DescribeTable("is refused where one is not allowed",
		func(fields, status, code string) {
			for _, path := range []string{chatPath, "/v1/responses", "/v1/completions", "/v1/embeddings"} {
				words := newBench(restricted).talk(post(path), requestBody(own+fields+`}`, true))
				Expect(words).To(ConsistOf(MatchRegexp(refusal(status, code))), path)
			}
			Expect(newBench(restricted).talk(post("/v1/messages"), requestBody(own+fields+`}`, true))).
				To(ConsistOf(And(HavePrefix("answer "+status), ContainSubstring(`"type":"error"`))))
		},
		Entry("in its place", `"models":["gpt-4o-mini","gpt-5"]`, "404", "model_not_found"),
		Entry("in its place, as a text", `"models":"gpt-5"`, "404", "model_not_found"),
		Entry("after it", `"fallbacks":[{"model":"gpt-5"}]`, "404", "model_not_found"),
		Entry("after it, by name", `"fallbacks":["gpt-5"]`, "404", "model_not_found"),
		Entry("after it, of the provider's choice", `"fallbacks":"default"`, "404", "model_not_found"),
		Entry("for a tool", `"tools":[{"type":"function"},{"type":"advisor_20260301","name":"advisor","model":"gpt-5"}]`, "404", "model_not_found"),
		Entry("twice, the first allowed", `"tools":[{"model":"claude-2","model":"gpt-5"}]`, "404", "model_not_found"),
		Entry("in another case", `"Tools":[{"MODEL":"gpt-5"}],"FALLBACKS":[]`, "404", "model_not_found"),
		Entry("in another case", `"Fallbacks":[{"Model":"gpt-5"}]`, "404", "model_not_found"),
		Entry("in another case", `"Models":["gpt-5"]`, "404", "model_not_found"),
		Entry("written with escapes", `"t\u006fols":[{"m\u006fdel":"gpt\u002d5"}]`, "404", "model_not_found"),
		Entry("that is no name", `"models":["claude-2\n"]`, "400", "invalid_model"),
		Entry("that is very long", `"models":["`+strings.Repeat("x", 5000)+`"]`, "400", "invalid_model"),
		Entry("that is the target of an alias", `"models":["xai/grok-4.5"]`, "404", "model_not_found"),
		Entry("behind more than any API takes", `"models":["claude-2"`+strings.Repeat(`,"claude-2"`, 63)+`,"gpt-5"]`, "400", "too_many_models"),
	)

	DescribeTable("passes with its aliases resolved",
		func(change func(*config.Route), fields, want string) {
			replies := newBench(change).play(post("/v1/messages"), requestBody(own+fields+`}`, true))
			Expect(describe(replies[0])).To(Equal(passed("claude-1")))
			body, ends := sentBody(replies)
			Expect(body).To(Equal(own + want + `}`))
			Expect(ends).To(Equal(1))
		},
		Entry("that are allowed", restricted, `"models":["gpt-4o-mini","claude-2"],"fallbacks":[]`, `"models":["gpt-4o-mini","claude-2"],"fallbacks":[]`),
		Entry("as many as any API takes", restricted, `"models":["claude-2"`+strings.Repeat(`,"claude-2"`, 63)+`]`, `"models":["claude-2"`+strings.Repeat(`,"claude-2"`, 63)+`]`),
		Entry("by an alias", restricted, `"models":["fast","claude-2"],"tools":[{"model":"fast"}]`, `"models":["xai/grok-4.5","claude-2"],"tools":[{"model":"xai/grok-4.5"}]`),
		Entry("by an alias, all allowed", aliased, `"fallbacks":[{"model":"fast"},{"model":"any"}]`, `"fallbacks":[{"model":"xai/grok-4.5"},{"model":"any"}]`),
		Entry("all allowed, more than any API takes", nil, `"models":["a"`+strings.Repeat(`,"a"`, 99)+`]`, `"models":["a"`+strings.Repeat(`,"a"`, 99)+`]`),
		Entry("whatever is no name", restricted, `"models":null,"fallbacks":{"model":7},"tools":[null,{"model":null,"input_schema":{"model":"gpt-5"}}]`,
			`"models":null,"fallbacks":{"model":7},"tools":[null,{"model":null,"input_schema":{"model":"gpt-5"}}]`),
	)

	It("is not refused for a model that another field has", func() {
		Expect(newBench(restricted).talk(post("/v1/messages"), requestBody(own+`"metadata":{"models":["gpt-5"],"tools":[{"model":"gpt-5"}]}}`, true))).To(HaveLen(2))
	})
})
