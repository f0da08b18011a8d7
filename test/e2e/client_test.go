// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	. "github.com/onsi/gomega"
)

const (
	chatPath = "/v1/chat/completions"
	// chatEntries filters the stand-in's ledger: the operator asks it for its
	// models all the time.
	chatEntries = "path=" + chatPath
)

// chatModel is a model that the stand-in serves to demoKey.
const chatModel = "gpt-4o-mini"

// chatBody is a chat completion's request body.
func chatBody(model, prompt string, stream bool) []byte {
	body, err := json.Marshal(map[string]any{
		"model":    model,
		"stream":   stream,
		"messages": []map[string]string{{"role": "user", "content": prompt}},
	})
	Expect(err).NotTo(HaveOccurred())
	return body
}

// chatRequest makes a chat completion's request through the Gateway.
func chatRequest(ctx context.Context, base string, body []byte, header map[string]string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("content-type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return req, nil
}

// answer is what came back, read to its end.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// ask sends a chat completion on a connection of its own.
func ask(base string, body []byte, header map[string]string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	req, err := chatRequest(ctx, base, body, header)
	if err != nil {
		return answer{}, err
	}
	return do(req)
}

// get reads a path of the Gateway on a connection of its own.
func get(url string, header map[string]string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return do(req)
}

func do(req *http.Request) (answer, error) {
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}, err
}

// stream is a server-sent event stream that is being read.
type stream struct {
	id     string // of the request
	events int
	last   string
	begin  time.Time
	took   time.Duration
	maxGap time.Duration
}

// readStream reads an event stream to its end and says how it went.
func readStream(req *http.Request) (stream, error) {
	s := stream{begin: time.Now()}
	resp, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	s.id = resp.Header.Get("x-request-id")
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return s, fmt.Errorf("status %d: %s (%w)", resp.StatusCode, body, err)
	}
	previous := time.Now()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			s.maxGap = max(s.maxGap, time.Since(previous))
			previous = time.Now()
			s.events++
			s.last = string(data)
		}
	}
	s.took = time.Since(s.begin)
	return s, lines.Err()
}
