// SPDX-License-Identifier: Apache-2.0

package routemeta_test

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/tars-operator/tars-operator/extproc/routemeta"
)

func TestRouteMeta(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/routemeta")
}

// metadata is shaped like what Envoy Gateway gives a route.
func metadata(annotations map[string]any) *corev3.Metadata {
	value, err := structpb.NewStruct(map[string]any{
		"resources": []any{map[string]any{
			"kind": "HTTPRoute", "name": "a", "namespace": "b", "sectionName": "pass", "annotations": annotations,
		}},
	})
	Expect(err).NotTo(HaveOccurred())
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"envoy-gateway": value}}
}

const hash = "tarsbackend-hash"

var _ = Describe("String", func() {
	DescribeTable("finds the value however the text is laid out",
		func(text, want string) { Expect(routemeta.String(text, hash)).To(Equal(want)) },
		Entry("one line", `filter_metadata { key: "envoy-gateway" value { fields { key: "tarsbackend-hash" value { string_value: "abc" } } } }`, "abc"),
		Entry("a debug prefix and two spaces", `goo.gle/debugonly   fields  {  key:  "tarsbackend-hash"  value  {  string_value:  "abc"  }  }`, "abc"),
		Entry("several lines", "fields {\n  key: \"tarsbackend-hash\"\n  value {\n    string_value: \"abc\"\n  }\n}", "abc"),
		Entry("colons before braces", `fields: { key: "tarsbackend-hash" value: { string_value: "abc" } }`, "abc"),
		Entry("single quotes", `key: 'tarsbackend-hash' value { string_value: 'abc' }`, "abc"),
		Entry("escapes", `key: "tarsbackend\055hash" value { string_value: "a\x62\"\143\n" }`, "ab\"c\n"),
		Entry("another key first", `key: "x" value { string_value: "no" } key: "tarsbackend-hash" value { string_value: "abc" }`, "abc"),
		Entry("the key as a value", `key: "x" value { string_value: "tarsbackend-hash" }`, ""),
		Entry("the whole text inside another value", `key: "x" value { string_value: "key: \"tarsbackend-hash\" value { string_value: \"forged\" }" }`, ""),
		Entry("a key that only begins so", `key: "tarsbackend-hash2" value { string_value: "no" }`, ""),
		Entry("another kind of value", `key: "tarsbackend-hash" value { number_value: 1 }`, ""),
		Entry("key twice", `key: key: "tarsbackend-hash" value { string_value: "abc" }`, "abc"),
		Entry("cut", `key: "tarsbackend-hash" value { string_value: "ab`, ""),
		Entry("nothing", "", ""),
	)

	It("reads what the protobuf library writes", func() {
		m := metadata(map[string]any{"other": `key: "tarsbackend-hash" value { string_value: "forged" }`, hash: "0123456789abcdef"})
		for _, o := range []prototext.MarshalOptions{{}, {Multiline: true}, {EmitASCII: true}} {
			text, err := o.Marshal(m)
			Expect(err).NotTo(HaveOccurred())
			Expect(routemeta.String(string(text), hash)).To(Equal("0123456789abcdef"))
		}
		Expect(routemeta.String(m.String(), hash)).To(Equal("0123456789abcdef"))
	})
})

// FuzzString must never panic, and finds a value in front of any text.
func FuzzString(f *testing.F) {
	f.Add(`key: "x" value { string_value: "\`)
	f.Fuzz(func(t *testing.T, text string) {
		routemeta.String(text, hash)
		if got := routemeta.String(`key: "tarsbackend-hash" value { string_value: "v" }`+text, hash); got != "v" {
			t.Fatalf("got %q before %q", got, text)
		}
	})
}
