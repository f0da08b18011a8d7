// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// answer is what the Gateway gave.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends the prompt through the Gateway, without a key.
func (d *demo) ask(ctx context.Context, url string, stream bool) (answer, error) {
	body, err := json.Marshal(map[string]any{
		"model": d.model, "stream": stream,
		"messages": []map[string]string{{"role": "user", "content": d.prompt}},
	})
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{Proxy: nil}}).Do(req)
	if err != nil {
		return answer{}, err
	}
	content, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	return answer{status: resp.StatusCode, header: resp.Header, body: string(content)}, err
}

// show asks once for a completion and once for a stream, and finds both in the
// stand-in's ledger.
func (d *demo) show(ctx context.Context, url string) error {
	sum := sha256.Sum256([]byte(d.prompt))
	digest := hex.EncodeToString(sum[:])
	d.say("\nprompt: %s\nSHA-256 of the prompt: %s", d.prompt, digest)
	for _, stream := range []bool{false, true} {
		a, err := d.ask(ctx, url, stream)
		if err != nil {
			return err
		}
		kind := "chat completion"
		if stream {
			kind = "stream"
		}
		id := a.header.Get("x-client-request-id")
		d.say("\n%s: HTTP %d\n  server: %s\n  request id: %s\n%s", kind, a.status, a.header.Get("server"), id, indent(a.body))
		if a.status != http.StatusOK {
			return fmt.Errorf("the %s was answered with HTTP %d", kind, a.status)
		}
		if d.standIn == nil {
			continue
		}
		if err := d.showLedger(ctx, id, digest); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) showLedger(ctx context.Context, id, digest string) error {
	entries, err := d.standIn.Ledger(ctx, "request_id="+id)
	if err != nil {
		return err
	}
	if len(entries) != 1 || entries[0].PromptSHA256 != digest {
		return errors.New("the upstream's ledger does not hold exactly this request with this prompt")
	}
	line, err := json.Marshal(entries[0])
	if err != nil {
		return err
	}
	d.say("  in the upstream's ledger: %s", line)
	return nil
}

// maxShown is how much of an answer is shown.
const maxShown = 1200

func indent(text string) string {
	if len(text) > maxShown {
		text = text[:maxShown] + "\n..."
	}
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}
