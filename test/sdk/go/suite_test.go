// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestSDK(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "SDKs for Go")
}

const (
	// settleTimeout is for what a client has given up to be seen upstream.
	settleTimeout = 10 * time.Second
	poll          = 20 * time.Millisecond
	// clientKey is one that TARS does not take.
	clientKey = "sk-of-the-app"
	prompt    = "Which way to the station? ✓"
)

// stage is where the SDKs play: see ../stage.
var stage struct {
	URL, Admin, Key, ClientKey string
}

var _ = BeforeSuite(func() {
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	Expect(err).NotTo(HaveOccurred())
	command := []string{"go", "run", "./test/sdk/stage"}
	if program := os.Getenv("TARS_SDK_STAGE"); program != "" {
		command = []string{program}
	}
	cmd := exec.Command(command[0], append(command[1:], "--root", root)...)
	cmd.Dir, cmd.Stderr = root, GinkgoWriter
	stdin, err := cmd.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	stdout, err := cmd.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(cmd.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(stdin.Close()).To(Succeed())
		Expect(cmd.Wait()).To(Succeed())
	})
	Expect(json.NewDecoder(stdout).Decode(&stage)).To(Succeed(), "the stage ended: see its error above")
})

// call is one call of an SDK, known by its request id on both sides.
type call struct {
	id      string
	headers map[string]string
}

// newCall is a call with the stand-in's settings x-fake-*, as name and value.
func newCall(settings ...string) call {
	GinkgoHelper()
	var raw [16]byte
	_, err := rand.Read(raw[:])
	Expect(err).NotTo(HaveOccurred())
	c := call{id: hex.EncodeToString(raw[:])}
	c.headers = map[string]string{"x-request-id": c.id}
	for i := 0; i+1 < len(settings); i += 2 {
		c.headers["x-fake-"+settings[i]] = settings[i+1]
	}
	return c
}

// with adds headers, as name and value.
func (c call) with(pairs ...string) call {
	for i := 0; i+1 < len(pairs); i += 2 {
		c.headers[pairs[i]] = pairs[i+1]
	}
	return c
}

// usage is what a request cost, by the stand-in's ledger: input with cached
// tokens, output with reasoning.
type usage struct {
	Input         int64 `json:"input"`
	CachedInput   int64 `json:"cachedInput"`
	CacheCreation int64 `json:"cacheCreation"`
	Output        int64 `json:"output"`
	Reasoning     int64 `json:"reasoning"`
}

// entry is the stand-in's record of a request.
type entry struct {
	Key, KeyFrom, Host, Path, ModelAsked, Outcome string
	KeyKnown, Passthrough, IncludeUsage, TLS      bool
	HeaderNames                                   []string
	Usage                                         usage
}

// ledger returns what reached the stand-in.
func (c call) ledger() []entry {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, stage.Admin+"/ledger?request_id="+url.QueryEscape(c.id), http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	resp, err := http.DefaultClient.Do(req)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(resp.Body.Close()).To(Succeed()) }()
	data, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	var page struct{ Entries []entry }
	Expect(json.Unmarshal(data, &page)).To(Succeed())
	return page.Entries
}

// reached checks that the call came so often, with the platform's key and no
// other, and returns the last record.
func (c call) reached(times int) entry {
	GinkgoHelper()
	entries := c.ledger()
	Expect(entries).To(HaveLen(times))
	for _, e := range entries {
		Expect(e.KeyKnown).To(BeTrue())
		Expect(e.Key).To(Equal(stage.Key))
		Expect(e.KeyFrom).To(Equal("authorization"))
		Expect(e.Passthrough).To(BeFalse())
		Expect(e.Host).To(Equal("api.router.tetrate.ai"))
		Expect(e.TLS).To(BeTrue())
		Expect(e.HeaderNames).NotTo(ContainElement(BeElementOf(
			"x-api-key", "x-tars-api-key", "cookie", "x-tarsbackend-pass", "x-tarsbackend-model")))
	}
	return entries[times-1]
}

// settled waits for the outcome of the only request.
func (c call) settled(outcome string) {
	GinkgoHelper()
	Eventually(func() string { return c.reached(1).Outcome }).WithTimeout(settleTimeout).WithPolling(poll).Should(Equal(outcome))
}

// refused checks that the call did not get through.
func (c call) refused() {
	GinkgoHelper()
	Expect(c.ledger()).To(BeEmpty())
}

// digest is what the answer to a prompt holds.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// source tells who is to blame for an error.
func source(resp *http.Response) string { return resp.Header.Get("x-tarsbackend-error-source") }
