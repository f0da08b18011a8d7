// SPDX-License-Identifier: Apache-2.0

package modellist_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/modellist"
	"github.com/tars-operator/tars-operator/extproc/policy"
)

func TestModelList(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/modellist")
}

var (
	narrow = policy.NewModels(config.Route{
		Allow:   []string{"a", "claude-*"},
		Aliases: []config.Alias{{Name: "fa\"st", Model: "x/y"}, {Name: "lost", Model: "nowhere"}, {Name: "claude-best", Model: "a"}},
	})
	open = policy.NewModels(config.Route{Aliases: []config.Alias{{Name: "b", Model: "a"}}})
)

var _ = DescribeTable("Narrow",
	func(models *policy.Models, body, want string) {
		Expect(string(modellist.Narrow([]byte(body), models))).To(Equal(want))
	},
	Entry("keeps what is allowed byte for byte, and adds aliases", narrow,
		`{"object":"list", "data": [ {"id":"a" ,"x":[1, 2]}, {"id":"b"},{"object":"model","id":"x/y","n":{"id":"q"}},{"id":"claude-1"} ], "z":1 }`,
		`{"object":"list", "data": [{"id":"a" ,"x":[1, 2]},{"id":"claude-best" ,"x":[1, 2]},{"object":"model","id":"fa\"st","n":{"id":"q"}},{"id":"claude-1"}], "z":1 }`),
	Entry("an alias replaces the model of its name", narrow, `{"data":[{"id":"claude-best"},{"id":"a"}]}`, `{"data":[{"id":"a"},{"id":"claude-best"}]}`),
	Entry("behind a byte order mark", narrow, "\xef\xbb\xbf"+`{"data":[{"id":"a"},{"id":"b"}]}`, "\xef\xbb\xbf"+`{"data":[{"id":"a"},{"id":"claude-best"}]}`),
	Entry("beside what Python takes for a number", narrow, `{"data":[{"id":"a","price":NaN},{"id":"b"}]}`, `{"data":[{"id":"a","price":NaN},{"id":"claude-best","price":NaN}]}`),
	Entry("nothing left", narrow, `{"data":[{"id":"b"}]}`, `{"data":[]}`),
	Entry("an empty list", narrow, `{"data":[]}`, `{"data":[]}`),
	Entry("an escaped id", narrow, `{"data":[{"id":"\u0061"},{"id":"\u0062"}]}`, `{"data":[{"id":"\u0061"},{"id":"claude-best"}]}`),
	Entry("what is no model stays", narrow, `{"data":[1,{"x":2}]}`, `{"data":[1,{"x":2}]}`),
	Entry("without an allow-list", open, `{"data":[{"id":"a"},{"id":"c"}]}`, `{"data":[{"id":"a"},{"id":"b"},{"id":"c"}]}`),
	Entry("an error", narrow, `{"error":{"code":401}}`, `{"error":{"code":401}}`),
	Entry("data of another kind", narrow, `{"data":"x"}`, `{"data":"x"}`),
	Entry("no JSON", narrow, `{"data":[{"id":"b"}]`, `{"data":[{"id":"b"}]`),
)

var _ = DescribeTable("Rename",
	func(body, want string) { Expect(string(modellist.Rename([]byte(body), "al\"ias"))).To(Equal(want)) },
	Entry("puts the id in", `{ "id" : "x/y", "n":{"id":"q"}}`, `{ "id" : "al\"ias", "n":{"id":"q"}}`),
	Entry("leaves an error", `{"error":{"id":"x"}}`, `{"error":{"id":"x"}}`),
	Entry("leaves what is no JSON", `{"id":"x"`, `{"id":"x"`),
)
