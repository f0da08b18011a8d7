// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

func TestConfig(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/config")
}

func valid() config.Config {
	return config.Config{Version: config.Version, DrainSeconds: 600, Routes: []config.Route{{
		Name: "ns/name", PathPrefix: "/", ServerAddress: "tars.example.com", ServerPort: 443, PassToken: "t", CanaryPath: "/v1/c",
		Allow: []string{"a"}, Aliases: []config.Alias{{Name: "b", Model: "c"}}, ForwardUnlistedPaths: true, MaxRequestBytes: 1,
	}}}
}

var _ = Describe("Config", func() {
	It("is read as it was written, under the same hash", func() {
		data, hash, err := config.Marshal(valid())
		Expect(err).NotTo(HaveOccurred())
		got, gotHash, err := config.Parse(data)
		Expect(err).NotTo(HaveOccurred())
		Expect(got).To(Equal(valid()))
		Expect(gotHash).To(Equal(hash))
		Expect(hash).To(MatchRegexp("^[0-9a-f]{16}$"))
		again, _, err := config.Marshal(valid())
		Expect(err).NotTo(HaveOccurred())
		Expect(again).To(Equal(data))
		changed := valid()
		changed.DrainSeconds++
		_, other, err := config.Marshal(changed)
		Expect(err).NotTo(HaveOccurred())
		Expect(other).NotTo(Equal(hash))
	})

	DescribeTable("is refused",
		func(change func(*config.Config), want string) {
			c := valid()
			change(&c)
			_, _, err := config.Marshal(c)
			Expect(err).To(MatchError(ContainSubstring(want)))
		},
		Entry("another version", func(c *config.Config) { c.Version = "v2" }, `"v2" is not "v1"`),
		Entry("no route", func(c *config.Config) { c.Routes = nil }, "no route"),
		Entry("no token", func(c *config.Config) { c.Routes[0].PassToken = "" }, `"ns/name" lacks`),
		Entry("no canary", func(c *config.Config) { c.Routes[0].CanaryPath = "" }, "lacks"),
		Entry("no prefix", func(c *config.Config) { c.Routes[0].PathPrefix = "" }, "lacks"),
		Entry("no limit", func(c *config.Config) { c.Routes[0].MaxRequestBytes = 0 }, "lacks"),
	)

	DescribeTable("is not read",
		func(text, want string) {
			_, _, err := config.Parse([]byte(text))
			Expect(err).To(MatchError(ContainSubstring(want)))
		},
		Entry("broken", `{`, "parsing"),
		Entry("of a newer operator", `{"version":"v1","new":1}`, `unknown field "new"`),
		Entry("without routes", `{"version":"v1"}`, "no route"),
	)
})
