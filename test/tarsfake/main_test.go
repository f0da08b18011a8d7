// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
)

const (
	// startTimeout bounds the start and the end of the program.
	startTimeout = 5 * time.Second
	// quietTime is how long nothing may happen.
	quietTime = 100 * time.Millisecond
)

func TestMain(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(startTimeout)
	RunSpecs(t, "test/tarsfake")
}

var plainURL = regexp.MustCompile(`http=(\S+)`)

// program runs the stand-in on free ports until the test ends, and returns
// its plaintext URL and its output.
func program(args ...string) (url string, output *gbytes.Buffer) {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	output = gbytes.NewBuffer()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append(freePorts(), args...), output) }()
	DeferCleanup(func() {
		cancel()
		Eventually(ended).Should(Receive(BeNil()))
	})
	Eventually(output).Should(gbytes.Say("Serving"))
	Eventually(func() []byte { return output.Contents() }).Should(ContainSubstring("admin="))
	return plainURL.FindStringSubmatch(string(output.Contents()))[1], output
}

// freePorts are the flags for ports that nobody has.
func freePorts() []string {
	return []string{"--http-address=127.0.0.1:0", "--https-address=127.0.0.1:0", "--admin-address=127.0.0.1:0"}
}

// accepted are the keys of some that a stand-in takes.
func accepted(url string, candidates ...string) []string {
	GinkgoHelper()
	taken := []string{}
	for _, key := range candidates {
		req, err := http.NewRequest(http.MethodGet, url+"/v1/models", nil)
		Expect(err).NotTo(HaveOccurred())
		req.Header.Set("authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		Expect(err).NotTo(HaveOccurred())
		Expect(resp.Body.Close()).To(Succeed())
		if resp.StatusCode == http.StatusOK {
			taken = append(taken, key)
		}
	}
	return taken
}

var _ = Describe("The program", func() {
	It("takes the demo key when none is given, and logs none", func() {
		url, output := program()
		Expect(accepted(url, keys.DemoKey, "sk-a")).To(Equal([]string{keys.DemoKey}))
		Eventually(output).Should(gbytes.Say(regexp.QuoteMeta(keys.Fingerprint(keys.DemoKey))))
		Expect(output.Contents()).NotTo(ContainSubstring(keys.DemoKey))
	})

	It("takes keys of flags, variable and file, and then not the demo key", func() {
		file := filepath.Join(GinkgoT().TempDir(), "keys")
		Expect(os.WriteFile(file, []byte("# two\nsk-c\nsk-d=m\n"), 0o600)).To(Succeed())
		GinkgoT().Setenv(keysVariable, "sk-e=m\nsk-f")
		url, _ := program("--key=sk-a=m1,m2", "--key", "sk-b", "--key-file", file)
		all := []string{"sk-a", "sk-b", "sk-c", "sk-d", "sk-e", "sk-f"}
		Expect(accepted(url, append(all, keys.DemoKey)...)).To(Equal(all))
	})

	It("lets a request end that has begun when it is told to stop", func() {
		ctx, stop := context.WithCancel(context.Background())
		output, ended := gbytes.NewBuffer(), make(chan error, 1)
		go func() { ended <- run(ctx, freePorts(), output) }()
		Eventually(func() []byte { return output.Contents() }).Should(ContainSubstring("admin="))
		reader, writer := io.Pipe()
		req, err := http.NewRequest(http.MethodPost, plainURL.FindStringSubmatch(string(output.Contents()))[1]+"/v1/chat/completions", reader)
		Expect(err).NotTo(HaveOccurred())
		req.Header.Set("authorization", "Bearer "+keys.DemoKey)
		req.Header.Set("expect", "100-continue")
		status := make(chan int, 1)
		go func() {
			defer GinkgoRecover()
			resp, err := http.DefaultClient.Do(req)
			Expect(err).NotTo(HaveOccurred())
			Expect(resp.Body.Close()).To(Succeed())
			status <- resp.StatusCode
		}()
		// With 100-continue, the body's first byte goes once the server reads.
		_, err = io.WriteString(writer, `{"model":"gpt-4o-mini",`)
		Expect(err).NotTo(HaveOccurred())
		stop()
		Consistently(ended, quietTime).ShouldNot(Receive())
		_, err = io.WriteString(writer, `"messages":[{"role":"user","content":"hi"}]}`)
		Expect(err).NotTo(HaveOccurred())
		Expect(writer.Close()).To(Succeed())
		Eventually(status).Should(Receive(Equal(http.StatusOK)))
		Eventually(ended).Should(Receive(BeNil()))
	})

	It("makes a certificate that the next start takes, and writes its authority", func() {
		dir := filepath.Join(GinkgoT().TempDir(), "tls")
		output := gbytes.NewBuffer()
		Expect(run(context.Background(), []string{"certificate", "--out", dir, "--tls-host", "a.example.com"}, output)).To(Succeed())
		Expect(output).To(gbytes.Say("made a certificate"))
		Expect(run(context.Background(), []string{"certificate", "--out", dir, "--tls-host", "a.example.com"}, output)).To(Succeed())
		Expect(output).To(gbytes.Say("kept the certificate"))
		authority := filepath.Join(GinkgoT().TempDir(), "ca.crt")
		program("--tls-dir", dir, "--ca-out", authority)
		want, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.ReadFile(authority)).To(Equal(want))
	})

	It("knows its name of the command that is the default", func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		Expect(run(ctx, append([]string{"serve"}, freePorts()...), GinkgoWriter)).To(Succeed())
	})

	DescribeTable("says what is wrong with", func(why string, args ...string) {
		Expect(run(context.Background(), args, GinkgoWriter)).To(MatchError(ContainSubstring(why)))
	},
		Entry("a command", "usage: tarsfake", "sevre"),
		Entry("an argument", `not "x"`, "serve", "x"),
		Entry("a flag", "not defined", "--nothing"),
		Entry("a key", "--key: a key must not be empty", "--key", "=m"),
		Entry("a file of keys", "reading --key-file", "--key-file", "/nonexistent"),
		Entry("a folder", "reading the certificate", "--tls-dir", "/nonexistent"),
		Entry("two certificates", "give only one", "--tls-dir", "/nonexistent", "--tls-host", "a"),
		Entry("a certificate without a folder", "--out", "certificate"),
		Entry("an address", "starting the stand-in", "--http-address", "nowhere:x"),
	)

	It("cannot write an authority that it was not given", func() {
		dir := GinkgoT().TempDir()
		Expect(run(context.Background(), []string{"certificate", "--out", dir}, GinkgoWriter)).To(Succeed())
		Expect(os.Remove(filepath.Join(dir, "ca.crt"))).To(Succeed())
		err := run(context.Background(), append(freePorts(), "--tls-dir", dir, "--ca-out", filepath.Join(dir, "out")), GinkgoWriter)
		Expect(err).To(MatchError(ContainSubstring("has no ca.crt")))
	})

	It("says which line of a key file is wrong", func() {
		file := filepath.Join(GinkgoT().TempDir(), "keys")
		Expect(os.WriteFile(file, []byte("sk-a\nsk b\n"), 0o600)).To(Succeed())
		err := run(context.Background(), []string{"--key-file", file}, GinkgoWriter)
		Expect(err).To(MatchError(And(ContainSubstring(file), ContainSubstring("line 2"))))
		GinkgoT().Setenv(keysVariable, "=")
		Expect(run(context.Background(), nil, GinkgoWriter)).To(MatchError(HavePrefix("$" + keysVariable + ": line 1")))
	})

	It("shows its flags", func() {
		output := gbytes.NewBuffer()
		Expect(errors.Is(run(context.Background(), []string{"-h"}, output), flag.ErrHelp)).To(BeTrue())
		Expect(output).To(gbytes.Say("-admin-address"))
	})
})
