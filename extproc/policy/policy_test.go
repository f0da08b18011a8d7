// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/policy"
)

func TestPolicy(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/policy")
}

var _ = Describe("Classify", func() {
	DescribeTable("served paths",
		func(prefix, path string, kind policy.Kind, label string) {
			t := policy.Classify(prefix, path)
			Expect(t.Kind).To(Equal(kind))
			Expect(t.Label).To(Equal(label))
		},
		Entry("chat", "/", "/v1/chat/completions", policy.Inference, "/v1/chat/completions"),
		Entry("completions", "/", "/v1/completions", policy.Inference, "/v1/completions"),
		Entry("responses", "/", "/v1/responses", policy.Inference, "/v1/responses"),
		Entry("messages", "/", "/v1/messages", policy.Inference, "/v1/messages"),
		Entry("embeddings", "/", "/v1/embeddings", policy.Inference, "/v1/embeddings"),
		Entry("with a prefix", "/llm", "/llm/v1/chat/completions", policy.Inference, "/v1/chat/completions"),
		Entry("models", "/", "/v1/models", policy.ModelList, "/v1/models"),
		Entry("one model", "/", "/v1/models/gpt", policy.ModelInfo, "/v1/models/{id}"),
		Entry("unlisted", "/", "/v1/images/generations", policy.Unlisted, "other"),
		Entry("below an inference path", "/", "/v1/responses/resp_1", policy.Unlisted, "other"),
		Entry("the root", "/", "/v1", policy.Unlisted, "other"),
		Entry("the root with a slash", "/", "/v1/", policy.Unlisted, "other"),
		Entry("an encoded space", "/", "/v1/files/a%20b", policy.Unlisted, "other"),
	)

	DescribeTable("what might be read as a path that has a policy is never served",
		func(path string) {
			Expect(policy.Classify("/", path).Kind).To(Equal(policy.Disguised))
		},
		Entry("trailing slash", "/v1/chat/completions/"),
		Entry("double slash", "/v1//chat/completions"),
		Entry("double slash in front", "//v1/chat/completions"),
		Entry("encoded slash", "/v1/chat%2fcompletions"),
		Entry("encoded twice", "/v1/chat%252Fcompletions"),
		Entry("encoded letter", "/v1/chat/completion%73"),
		Entry("upper case", "/v1/Chat/completions"),
		Entry("parameters", "/v1/chat/completions;a=b"),
		Entry("parameters within", "/v1/chat;x/completions"),
		Entry("dot segment", "/v1/./chat/completions"),
		Entry("two dots", "/v1/x/../chat/completions"),
		Entry("encoded dots", "/v1/x/%2e%2e/chat/completions"),
		Entry("dots with parameters", "/v1/x/..;/chat/completions"),
		Entry("out of /v1", "/v1/%2e%2e/admin"),
		Entry("backslash", "/v1/chat\\completions"),
		Entry("encoded backslash", "/v1/chat%5ccompletions"),
		Entry("NUL", "/v1/chat/completions%00"),
		Entry("line feed", "/v1/chat/completions%0a"),
		Entry("space", "/v1/chat/completions%20"),
		Entry("encoded question mark", "/v1/chat/completions%3fx"),
		Entry("fragment", "/v1/chat/completions#x"),
		Entry("broken encoding", "/v1/chat/completions%"),
		Entry("encoded too often", "/v1/%2525252525252563hat"),
		Entry("messages", "/v1/messages/"),
		Entry("models", "/v1/models/"),
		Entry("models in upper case", "/v1/MODELS"),
		Entry("a model with dots", "/v1/models/../chat/completions"),
		Entry("a model with encoded dots", "/v1/models/%2e%2e/files"),
		Entry("a model with a double slash", "/v1/models//gpt"),
		Entry("a model with a slash at the end", "/v1/models/gpt/"),
		Entry("another version", "/v2/chat"),
	)

	It("does not serve a path outside of the prefix", func() {
		Expect(policy.Classify("/llm", "/v1/chat/completions").Kind).To(Equal(policy.Disguised))
		Expect(policy.Classify("/llm", "/llmv1/chat/completions").Kind).To(Equal(policy.Disguised))
	})

	It("reads the id of a model, slashes and all", func() {
		Expect(policy.Classify("/", "/v1/models/xai/grok-4.5").Model).To(Equal("xai/grok-4.5"))
		Expect(policy.Classify("/", "/v1/models/xai%2Fgrok-4.5").Model).To(Equal("xai/grok-4.5"))
	})

	It("answers in Anthropic's shape on messages and below only", func() {
		Expect(policy.Classify("/", "/v1/messages").Shape).To(Equal(policy.Anthropic))
		Expect(policy.Classify("/llm", "/llm/v1/messages/count_tokens").Shape).To(Equal(policy.Anthropic))
		Expect(policy.Classify("/", "/v1/messages/").Shape).To(Equal(policy.Anthropic))
		Expect(policy.Classify("/", "/v1/messagesx").Shape).To(Equal(policy.OpenAI))
		Expect(policy.Classify("/", "/v1/chat/completions").Shape).To(Equal(policy.OpenAI))
	})

	It("knows where a stream says nothing of usage unless it is asked", func() {
		for path, want := range map[string]bool{
			"/v1/chat/completions": true, "/v1/completions": true,
			"/v1/responses": false, "/v1/messages": false, "/v1/embeddings": false,
		} {
			Expect(policy.Classify("/", path).Operation.StreamUsage).To(Equal(want), path)
		}
	})
})

var _ = Describe("Models", func() {
	restricted := policy.NewModels(config.Route{
		Allow:   []string{"gpt-4o-mini", "claude-*"},
		Aliases: []config.Alias{{Name: "fast", Model: "xai/grok-4.5"}, {Name: "quick", Model: "xai/grok-4.5"}, {Name: "claude-best", Model: "claude-9"}},
	})

	DescribeTable("Resolve",
		func(name, model string, allowed bool) {
			got, ok := restricted.Resolve(name)
			Expect(ok).To(Equal(allowed))
			if allowed {
				Expect(got).To(Equal(model))
			}
		},
		Entry("exact", "gpt-4o-mini", "gpt-4o-mini", true),
		Entry("longer than exact", "gpt-4o-mini-2", "", false),
		Entry("prefix", "claude-3", "claude-3", true),
		Entry("the prefix itself", "claude-", "claude-", true),
		Entry("shorter than the prefix", "claude", "", false),
		Entry("another case", "GPT-4o-mini", "", false),
		Entry("a star is no model", "claude*", "", false),
		Entry("alias", "fast", "xai/grok-4.5", true),
		Entry("an alias wins over the list", "claude-best", "claude-9", true),
		Entry("the target of an alias by its own name", "xai/grok-4.5", "", false),
		Entry("empty", "", "", false),
	)

	It("allows every model without a list", func() {
		open := policy.NewModels(config.Route{Aliases: []config.Alias{{Name: "a", Model: "b"}}})
		for name, want := range map[string]string{"x": "x", "a": "b"} {
			model, ok := open.Resolve(name)
			Expect(ok).To(BeTrue())
			Expect(model).To(Equal(want))
		}
		Expect(open.Restricted()).To(BeTrue(), "the list of models gets aliases")
		Expect(policy.NewModels(config.Route{}).Restricted()).To(BeFalse())
		Expect(policy.NewModels(config.Route{Allow: []string{"x"}}).Restricted()).To(BeTrue())
	})

	It("narrows a list of models and adds aliases", func() {
		Expect(restricted.Keeps("gpt-4o-mini")).To(BeTrue())
		Expect(restricted.Keeps("xai/grok-4.5")).To(BeFalse())
		Expect(restricted.Keeps("claude-best")).To(BeFalse(), "the alias has taken the name")
		Expect(restricted.Aliases("xai/grok-4.5")).To(Equal([]string{"fast", "quick"}))
		Expect(restricted.Aliases("gpt-4o-mini")).To(BeEmpty())
	})

	It("names the allowed models, twenty at most", func() {
		Expect(restricted.Allowed()).To(Equal("fast, quick, claude-best, gpt-4o-mini, claude-*"))
		many := config.Route{}
		for i := range 30 {
			many.Allow = append(many.Allow, fmt.Sprintf("m%d", i))
		}
		Expect(policy.NewModels(many).Allowed()).To(HaveSuffix(", m18, m19 and 10 more"))
		many.Allow = many.Allow[:20]
		Expect(policy.NewModels(many).Allowed()).To(HaveSuffix(", m18, m19"))
	})

	It("offers labels that clients cannot multiply", func() {
		Expect(restricted.Labels()).To(ConsistOf("fast", "xai/grok-4.5", "quick", "xai/grok-4.5", "claude-best", "claude-9", "gpt-4o-mini"))
	})
})
