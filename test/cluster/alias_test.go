// SPDX-License-Identifier: Apache-2.0

package main

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = DescribeTable("an alias",
	func(text, name, address string) {
		a := aliases{}
		Expect(a.Set(text)).To(Succeed())
		Expect(a).To(Equal(aliases{name: address}))
	},
	Entry("of a name", "api.example.com=10.96.0.7", "api.example.com", "10.96.0.7"),
	Entry("with the root's dot", "api.example.com.=10.96.0.7", "api.example.com", "10.96.0.7"),
	Entry("in capitals", "API.example.com=10.96.0.7", "api.example.com", "10.96.0.7"),
	Entry("to IPv6", "api.example.com=fd00::7", "api.example.com", "fd00::7"),
	Entry("to be taken away", "api.example.com=", "api.example.com", ""),
)

var _ = DescribeTable("no alias is",
	func(text string) { Expect(aliases{}.Set(text)).NotTo(Succeed()) },
	Entry("a name alone", "api.example.com"),
	Entry("an address alone", "=10.96.0.7"),
	Entry("a name for a name", "api.example.com=other.example.com"),
	Entry("two names", "a b=10.96.0.7"),
	Entry("a comment", "#a=10.96.0.7"),
	Entry("a name with a port", "a:80=10.96.0.7"),
	Entry("a network", "a=10.96.0.0/16"),
)

var _ = Describe("the file of aliases", func() {
	It("is written sorted, without those taken away, and read back", func() {
		a := aliases{"b.example.com": "10.0.0.2", "a.example.com": "10.0.0.1", "c.example.com": ""}
		Expect(a.hosts()).To(Equal("10.0.0.1 a.example.com\n10.0.0.2 b.example.com\n"))
		Expect(parseHosts(a.hosts())).To(Equal(aliases{"a.example.com": "10.0.0.1", "b.example.com": "10.0.0.2"}))
	})

	It("is read as others write it", func() {
		Expect(parseHosts("\n# names\n10.0.0.1  a.example.com b.example.com # both\n10.0.0.2\n")).
			To(Equal(aliases{"a.example.com": "10.0.0.1", "b.example.com": "10.0.0.1"}))
	})
})

var _ = DescribeTable("a file for an image",
	func(text, path, file string) {
		f := files{}
		Expect(f.Set(text)).To(Succeed())
		Expect(f).To(Equal(files{path: file}))
	},
	Entry("a plain one", "/etc/app/config=here/config", "etc/app/config", "here/config"),
	Entry("one with dots", "/etc/../usr/x=y", "usr/x", "y"),
	Entry("one whose name has a =", "/x=a=b", "x", "a=b"),
)

var _ = DescribeTable("no file for an image is",
	func(text string) { Expect(files{}.Set(text)).NotTo(Succeed()) },
	Entry("a relative path", "etc/app=config"),
	Entry("the root", "/=config"),
	Entry("a path alone", "/etc/app"),
	Entry("a path to nothing", "/etc/app="),
	Entry("a path out of the image", "/..=config"),
)
