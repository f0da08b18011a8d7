// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// reply is an answer as the client got it.
type reply struct {
	status int
	header http.Header
	body   string
}

// newID is a request id that no other spec uses.
func newID() string {
	GinkgoHelper()
	var raw [16]byte
	_, err := rand.Read(raw[:])
	Expect(err).NotTo(HaveOccurred())
	return hex.EncodeToString(raw[:])
}

// request builds a request to Envoy; what is "METHOD path".
func request(id, what string, body io.Reader, headers ...string) *http.Request {
	GinkgoHelper()
	method, path, _ := strings.Cut(what, " ")
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+world.envoy.Address+path, body)
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set("x-request-id", id)
	if body != nil {
		req.Header.Set("content-type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// readAll reads what an upstream was sent; a broken body is what it is up to
// there.
func readAll(r io.Reader) string {
	body, err := io.ReadAll(r)
	if err != nil {
		GinkgoWriter.Println("upstream:", err)
	}
	return string(body)
}

// same compares long texts that nobody wants to see in a failure.
func same(a, b string) bool { return a == b }

// send sends a request and reads the whole answer.
func send(req *http.Request) reply {
	GinkgoHelper()
	resp, err := world.client.Do(req)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(resp.Body.Close()).To(Succeed()) }()
	body, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	return reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// post sends a JSON body.
func post(path, id, body string, headers ...string) reply {
	GinkgoHelper()
	return send(request(id, "POST "+path, strings.NewReader(body), headers...))
}

// get asks without a body.
func get(path, id string, headers ...string) reply {
	GinkgoHelper()
	return send(request(id, "GET "+path, nil, headers...))
}

// respond answers with a content type and a body.
func respond(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("content-type", contentType)
		w.WriteHeader(status)
		if err == nil {
			_, err = io.WriteString(w, body)
		}
		if err != nil {
			GinkgoWriter.Println("upstream:", err)
		}
	}
}
