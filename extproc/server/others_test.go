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
		Entry("for the author of a tool's graphics", `"tools":[{"type":"image_generation","output_format":"svg","svg":{"model":"gpt-5"}}]`, "404", "model_not_found"),
		Entry("for a tool, not in a list", `"tools":{"model":"gpt-5"}`, "404", "model_not_found"),
		Entry("among the parameters of a tool", `"tools":[{"type":"openrouter:image_generation","parameters":{"model":"gpt-5"}}]`, "404", "model_not_found"),
		Entry("in a plugin", `"plugins":[{"id":"web"},{"id":"fusion","model":"gpt-5"}]`, "404", "model_not_found"),
		Entry("to judge what is said", `"moderation":{"model":"gpt-5"}`, "404", "model_not_found"),
		Entry("for a tool that comes later", `"input":[{"type":"additional_tools","role":"developer","tools":[{"type":"image_generation","model":"gpt-5"}]}]`, "404", "model_not_found"),
		Entry("for the graphics of a tool that comes later", `"Input":[{"type":"tool_search_output","tools":[{"svg":{"model":"gpt-5"}}]}]`, "404", "model_not_found"),
		Entry("for a tool that a message brings", `"messages":[{"role":"user","content":[{"tool":{"definition":{"type":"advisor_20260301","model":"gpt-5"}}}]}]`, "404", "model_not_found"),
		Entry("for a tool that a message changes", `"Messages":[{"Content":[{"tool_changes":[{"Tool":{"Definition":{"Model":"gpt-5"}}}]}]}]`, "404", "model_not_found"),
		Entry("in a way that is not known", `"fallbacks":[{"claude-1":["gpt-5"]}]`, "400", "unclear_models"),
		Entry("in a way that is not known, behind one that is", `"fallbacks":[{"model":"claude-2"},{"models":["gpt-5"]}]`, "400", "unclear_models"),
		Entry("in a way that is not known", `"fallbacks":{"model":"gpt-5"}`, "400", "unclear_models"),
		Entry("in a way that is not known", `"models":[{"model":"gpt-5"}]`, "400", "unclear_models"),
		Entry("in a way that is not known", `"models":{"a":"gpt-5"}`, "400", "unclear_models"),
		Entry("in a way that is not known", `"tools":[{"model":["gpt-5"]}]`, "400", "unclear_models"),
		Entry("in a way that is not known", `"tools":[{"model":{"id":"gpt-5"}}]`, "400", "unclear_models"),
		Entry("in a way that is not known", `"models":7`, "400", "unclear_models"),
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
		Entry("whatever is no name", restricted, `"models":null,"fallbacks":null,"tools":[null,{"model":null,"input_schema":{"model":"gpt-5"}}]`,
			`"models":null,"fallbacks":null,"tools":[null,{"model":null,"input_schema":{"model":"gpt-5"}}]`),
		Entry("in the past", restricted, `"input":[{"type":"image_generation_call","svg_usage":{"model":"gpt-5"}}],"messages":[{"content":[{"from":{"model":"gpt-5"},"to":{"model":"gpt-5"}}]}]`,
			`"input":[{"type":"image_generation_call","svg_usage":{"model":"gpt-5"}}],"messages":[{"content":[{"from":{"model":"gpt-5"},"to":{"model":"gpt-5"}}]}]`),
		Entry("for a tool that comes later", restricted, `"input":[{"tools":[{"svg":{"model":"fast"}}]}]`, `"input":[{"tools":[{"svg":{"model":"xai/grok-4.5"}}]}]`),
		Entry("all allowed but renamed, in a way that is not known", aliased, `"fallbacks":[{"gpt-4":["gpt-4o"]}],"models":["fast"]`, `"fallbacks":[{"gpt-4":["gpt-4o"]}],"models":["xai/grok-4.5"]`),
		Entry("in the schema of an app's own tool", restricted, `"tools":[{"parameters":{"model":{"type":"string"},"properties":{"model":"gpt-5"}}}]`, `"tools":[{"parameters":{"model":{"type":"string"},"properties":{"model":"gpt-5"}}}]`),
		Entry("all allowed, in a way that is not known", nil, `"models":{"a":1},"fallbacks":[["b"]]`, `"models":{"a":1},"fallbacks":[["b"]]`),
		Entry("with what a tool is called with", restricted, `"messages":[{"content":[{"type":"tool_use","input":{"model":"gpt-5","tools":[{"model":"gpt-5"}]}}]}]`,
			`"messages":[{"content":[{"type":"tool_use","input":{"model":"gpt-5","tools":[{"model":"gpt-5"}]}}]}]`),
	)

	It("is not refused for a model that another field has", func() {
		Expect(newBench(restricted).talk(post("/v1/messages"), requestBody(own+`"metadata":{"models":["gpt-5"],"tools":[{"model":"gpt-5"}]}}`, true))).To(HaveLen(2))
	})
})
