// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
)

func TestKeys(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/tarsfake/keys")
}

var _ = Describe("The key ring", func() {
	It("names a key by the first digits of its SHA-256", func() {
		Expect(keys.Fingerprint("abc")).To(Equal("sha256:ba7816bf"))
		Expect(keys.Fingerprint("")).To(BeEmpty())
	})

	It("takes nothing when it is empty", func() {
		var ring keys.Ring
		_, found := ring.Find("")
		Expect(found).To(BeFalse())
		Expect(ring.List()).To(BeEmpty())
		Expect(ring.Revoke("abc")).To(BeFalse())
	})

	DescribeTable("reads", func(spec, key string, models []string) {
		var ring keys.Ring
		Expect(ring.AddSpec(spec)).To(Succeed())
		grant, found := ring.Find(key)
		Expect(found).To(BeTrue())
		Expect(grant).To(Equal(keys.Grant{Fingerprint: keys.Fingerprint(key), Models: models}))
	},
		Entry("models", "sk-a=m1,x/m2", "sk-a", []string{"m1", "x/m2"}),
		Entry("no models", "sk-a", "sk-a", keys.DefaultModels()),
	)

	DescribeTable("refuses", func(spec, why string) {
		var ring keys.Ring
		err := ring.AddSpec(spec)
		Expect(err).To(MatchError(ContainSubstring(why)))
		Expect(err.Error()).NotTo(ContainSubstring("sk-secret"))
		Expect(ring.List()).To(BeEmpty())
	},
		Entry("no key", "=m", "must not be empty"),
		Entry("a key with a space", "sk-secret b=m", "white space"),
		Entry("an empty model", "sk-secret=m,,n", "a model's id must not be empty"),
		Entry("no model after =", "sk-secret=", "a model's id must not be empty"),
	)

	It("reads one key a line", func() {
		var ring keys.Ring
		Expect(ring.AddLines(strings.NewReader("# comment\n\n  sk-a=m1 \nsk-b=m2\n"))).To(Succeed())
		Expect(ring.List()).To(ConsistOf(HaveField("Models", []string{"m1"}), HaveField("Models", []string{"m2"})))
		Expect(ring.AddLines(strings.NewReader("sk-c=m\n=m\n"))).To(MatchError(HavePrefix("line 2: ")))
	})

	It("gives a key that is there the new models", func() {
		var ring keys.Ring
		Expect(ring.AddSpec("sk-a=m1")).To(Succeed())
		Expect(ring.AddSpec("sk-a=m2")).To(Succeed())
		Expect(ring.List()).To(ConsistOf(HaveField("Models", []string{"m2"})))
	})

	It("keeps models of its own", func() {
		var ring keys.Ring
		models := []string{"m1"}
		_, err := ring.Add("sk-a", models)
		Expect(err).NotTo(HaveOccurred())
		models[0] = "m2"
		Expect(ring.List()).To(ConsistOf(HaveField("Models", []string{"m1"})))
	})

	It("revokes exactly one key, by itself or its fingerprint", func() {
		for _, name := range []string{"sk-a", keys.Fingerprint("sk-a")} {
			var ring keys.Ring
			Expect(ring.AddSpec("sk-a")).To(Succeed())
			Expect(ring.AddSpec("sk-b")).To(Succeed())
			Expect(ring.Revoke(name)).To(BeTrue())
			Expect(ring.List()).To(ConsistOf(HaveField("Fingerprint", keys.Fingerprint("sk-b"))))
			_, found := ring.Find("sk-a")
			Expect(found).To(BeFalse())
		}
	})

	It("is bounded", func() {
		var ring keys.Ring
		for i := range 10000 {
			Expect(ring.AddSpec(fmt.Sprintf("sk-%d=m", i))).To(Succeed())
		}
		Expect(ring.AddSpec("sk-more=m")).To(MatchError(ContainSubstring("10000 keys already")))
	})
})
