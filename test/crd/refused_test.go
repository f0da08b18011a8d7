// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refusal is an object that the API server must refuse, with the field and
// the words it must complain about.
type refusal struct {
	// why is a sentence about the object.
	why string
	// spec is YAML whose top-level fields replace those of the minimal spec.
	spec string
	// field is the complaint's path.
	field string
	// message is a part of the complaint that tells the rule and its bound.
	message string
}

// refusals are all cases of spec; one file holds each part of it.
func refusals() []refusal {
	var all []refusal
	for _, part := range [][]refusal{
		listenerRefusals, endpointRefusals, modelRefusals, limitRefusals, extProcRefusals, podTemplateRefusals,
	} {
		all = append(all, part...)
	}
	return all
}

// expectRefusal checks that exactly the named field is complained about, in
// the expected words.
func expectRefusal(err error, r refusal) {
	GinkgoHelper()
	found := causes(err)
	for _, cause := range found {
		if strings.Contains(cause.Message, rulesNotChecked) {
			continue
		}
		Expect(cause.Field).To(Equal(r.field), "complains about another field: %v", err)
	}
	Expect(found).To(ContainElement(HaveField("Message", ContainSubstring(r.message))))
	Expect(found).NotTo(ContainElement(HaveField("Message", ContainSubstring("evaluat"))),
		"a rule failed instead of saying no")
}

var _ = Describe("A TarsBackend is refused", func() {
	body := func(ctx SpecContext, r refusal) {
		expectRefusal(admit(ctx, tarsBackend("example", r.spec)), r)
	}
	entries := make([]TableEntry, 0, len(refusals()))
	for _, r := range refusals() {
		entries = append(entries, Entry(r.why, r))
	}
	DescribeTable("by its spec:", body, entries)

	DescribeTable("by its name:", func(ctx SpecContext, name string) {
		expectRefusal(admit(ctx, tarsBackend(name, "")), refusal{field: rootField, message: nameMessage})
	},
		Entry("a leading digit, which no Service can have", "7up"),
		Entry("a dot, which no Service can have", "a.b"),
	)

	It("for a field that does not exist", func(ctx SpecContext) {
		err := admit(ctx, tarsBackend("example", `model: {}`))
		Expect(err).To(MatchError(ContainSubstring(`unknown field "spec.model"`)))
	})

	It("without a spec", func(ctx SpecContext) {
		u := tarsBackend("example", "")
		delete(u.Object, "spec")
		Expect(causes(admit(ctx, u))).To(ContainElement(And(
			HaveField("Type", metav1.CauseTypeFieldValueRequired), HaveField("Field", "spec"))))
	})
})
