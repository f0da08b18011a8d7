// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

const (
	// settleTimeout bounds what should happen at once on a busy machine.
	settleTimeout = 5 * time.Second
	// quietTime is how long nothing may happen.
	quietTime = 150 * time.Millisecond
	// pace is a delay that is short for a person and long for a computer.
	pace = 60 * time.Millisecond
)

func TestServer(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(settleTimeout)
	RunSpecs(t, "test/tarsfake/server")
}

// Ways to reach the stand-in.
const (
	http1   = "HTTP/1.1"
	http1s  = "HTTP/1.1 and TLS"
	http2s  = "HTTP/2 and TLS"
	http2c  = "HTTP/2 without TLS"
	bearer  = "authorization"
	demoKey = "Bearer " + keys.DemoKey
)

// everyWay is a table's entries: each way to reach the stand-in.
var everyWay = []TableEntry{Entry(nil, http1), Entry(nil, http1s), Entry(nil, http2s), Entry(nil, http2c)}

// fake is a stand-in under test.
type fake struct{ *server.Server }

func start(options server.Options) fake {
	GinkgoHelper()
	s, err := server.Start(options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(s.Close)
	return fake{s}
}

// client talks to the stand-in in one of the ways.
func (f fake) client(way string) (*http.Client, string) {
	GinkgoHelper()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(way == http1 || way == http1s)
	protocols.SetHTTP2(way == http2s)
	protocols.SetUnencryptedHTTP2(way == http2c)
	authority := x509.NewCertPool()
	Expect(authority.AppendCertsFromPEM(f.CA())).To(BeTrue())
	transport := &http.Transport{
		Protocols: protocols, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: authority, ServerName: "api.router.tetrate.ai"},
	}
	DeferCleanup(transport.CloseIdleConnections)
	base := f.URL()
	if way == http1s || way == http2s {
		base = f.SecureURL()
	}
	return &http.Client{Transport: transport}, base
}

// answer is what came back. Err is why it ended early.
type answer struct {
	Status int
	Proto  string
	Header http.Header
	Body   string
	Err    error
}

// call is a request.
type call struct {
	way, method, path, body string
	header                  []string // name, value, ...
	ctx                     context.Context
}

func (f fake) do(c call) answer {
	GinkgoHelper()
	if c.ctx == nil {
		c.ctx = context.Background()
	}
	if c.way == "" {
		c.way = http1
	}
	client, base := f.client(c.way)
	req, err := http.NewRequestWithContext(c.ctx, c.method, base+c.path, strings.NewReader(c.body))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set(bearer, demoKey)
	for i := 0; i < len(c.header); i += 2 {
		req.Header.Set(c.header[i], c.header[i+1])
		if c.header[i+1] == "" {
			req.Header.Del(c.header[i])
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{Status: resp.StatusCode, Proto: resp.Proto, Header: resp.Header, Body: string(body), Err: err}
}

func (f fake) get(path string, header ...string) answer {
	GinkgoHelper()
	return f.do(call{method: http.MethodGet, path: path, header: header})
}

// open posts a body and returns once the headers are there.
func (f fake) open(way string, kind reply.Kind, body string, header ...string) *http.Response {
	GinkgoHelper()
	client, base := f.client(way)
	req, err := http.NewRequest(http.MethodPost, base+string(kind), strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set(bearer, demoKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(resp.Body.Close)
	return resp
}

// upload is a chat whose body has begun to arrive.
type upload struct {
	writer *io.PipeWriter
	done   chan answer
}

func (f fake) upload() upload {
	GinkgoHelper()
	client, base := f.client(http1)
	reader, writer := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, base+string(reply.Chat), reader)
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set(bearer, demoKey)
	done := make(chan answer, 1)
	go func() {
		resp, err := client.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- answer{Err: err}
	}()
	_, err = io.WriteString(writer, chat[:20])
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() []ledger.Entry { return f.Ledger.List(ledger.Filter{}).Entries }).Should(HaveLen(1))
	return upload{writer, done}
}

// ask posts a body to an API and wants an answer that is whole.
func (f fake) ask(kind reply.Kind, body string, header ...string) answer {
	GinkgoHelper()
	a := f.do(call{method: http.MethodPost, path: string(kind), body: body, header: header})
	Expect(a.Err).NotTo(HaveOccurred())
	return a
}

// Bodies of chats.
const (
	prompt     = "What is \u2713?\n"
	chat       = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"What is \u2713?\n"}]}`
	chatStream = `{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"What is \u2713?\n"}]}`
	chatUsage  = `{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`
)

// object is a JSON document.
type object = map[string]any

func parsed(text string) object {
	GinkgoHelper()
	var document object
	Expect(json.Unmarshal([]byte(text), &document)).To(Succeed(), text)
	return document
}

// at walks into a document; a number is an index.
func at(value any, path ...any) any {
	GinkgoHelper()
	for _, step := range path {
		switch key := step.(type) {
		case string:
			Expect(value).To(HaveKey(key))
			value = value.(object)[key]
		case int:
			Expect(len(value.([]any))).To(BeNumerically(">", key))
			value = value.([]any)[key]
		}
	}
	return value
}

// event is one event of a stream, as a plain reader sees it.
type event struct{ name, data string }

// events reads a stream whose lines end in \n.
func events(body string) []event {
	GinkgoHelper()
	Expect(body).To(HaveSuffix("\n\n"))
	var all []event
	for block := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		var e event
		for line := range strings.SplitSeq(block, "\n") {
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "event":
				e.name = value
			case "data":
				e.data += value
			}
		}
		all = append(all, e)
	}
	return all
}

// datas are the documents of a stream without its [DONE].
func datas(body string) []object {
	GinkgoHelper()
	all := events(body)
	Expect(all[len(all)-1].data).To(Equal("[DONE]"))
	var documents []object
	for _, e := range all[:len(all)-1] {
		documents = append(documents, parsed(e.data))
	}
	return documents
}

// last is the newest entry of the ledger.
func (f fake) last() ledger.Entry {
	GinkgoHelper()
	entries := f.Ledger.List(ledger.Filter{Last: 1}).Entries
	Expect(entries).To(HaveLen(1))
	return entries[0]
}

// admin calls the admin API.
func (f fake) admin(method, path, body string) answer {
	GinkgoHelper()
	req, err := http.NewRequest(method, f.AdminURL()+path, bytes.NewBufferString(body))
	Expect(err).NotTo(HaveOccurred())
	resp, err := http.DefaultClient.Do(req)
	Expect(err).NotTo(HaveOccurred())
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}

// wish asks for a behaviour of one request to come.
func (f fake) wish(rule string) {
	GinkgoHelper()
	a := f.admin(http.MethodPost, "/behaviour", rule)
	Expect(a.Status).To(Equal(http.StatusCreated), a.Body)
}

func (f fake) ledgerPage(query url.Values) ledger.Page {
	GinkgoHelper()
	a := f.admin(http.MethodGet, "/ledger?"+query.Encode(), "")
	Expect(a.Status).To(Equal(http.StatusOK), a.Body)
	var page ledger.Page
	Expect(json.Unmarshal([]byte(a.Body), &page)).To(Succeed())
	return page
}
