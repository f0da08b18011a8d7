// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const standInNamespaceManifest = `
apiVersion: v1
kind: Namespace
metadata: {name: tarsfake, labels: {pod-security.kubernetes.io/enforce: restricted}}
`

const standInManifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: tarsfake, namespace: tarsfake}
spec:
  selector: {matchLabels: {app: tarsfake}}
  template:
    metadata: {labels: {app: tarsfake}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: tarsfake
          image: tarsfake:dev
          imagePullPolicy: IfNotPresent
          args: [serve, --tls-dir=/tls, --ledger-size=100000]
          readinessProbe: {httpGet: {path: /healthz, port: 9090}, periodSeconds: 1}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts: [{name: tls, mountPath: /tls, readOnly: true}]
      volumes: [{name: tls, secret: {secretName: tarsfake-tls}}]
---
apiVersion: v1
kind: Service
metadata: {name: tarsfake, namespace: tarsfake}
spec:
  selector: {app: tarsfake}
  ports:
    - {name: https, port: 443, targetPort: 8443}
    - {name: http, port: 80, targetPort: 8080}
    - {name: admin, port: 9090, targetPort: 9090}
`

// StandIn speaks to the stand-in's admin API.
type StandIn struct {
	// Admin is its address, host:port.
	Admin string
}

// Entry is what the stand-in remembers of one request.
type Entry struct {
	Time         time.Time         `json:"time"`
	RequestID    string            `json:"requestId"`
	Method       string            `json:"method"`
	Path         string            `json:"path"`
	Key          string            `json:"key"`
	KeyKnown     bool              `json:"keyKnown"`
	ModelAsked   string            `json:"modelAsked"`
	BodyBytes    int64             `json:"bodyBytes"`
	PromptSHA256 string            `json:"promptSHA256"`
	HeaderNames  []string          `json:"headerNames"`
	Headers      map[string]string `json:"headers"`
	Status       int               `json:"status"`
	Usage        Usage             `json:"usage"`
}

// Usage is what a request cost, in tokens.
type Usage struct {
	Input  int64 `json:"input"`
	Output int64 `json:"output"`
}

// Ledger is everything that reached the stand-in; filter is a query such as
// "request_id=..."; empty: all.
func (s StandIn) Ledger(ctx context.Context, filter string) ([]Entry, error) {
	body, err := s.call(ctx, http.MethodGet, "/ledger?"+filter, "")
	if err != nil {
		return nil, err
	}
	var page struct {
		Entries []Entry `json:"entries"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, fmt.Errorf("reading the stand-in's ledger: %w", err)
	}
	return page.Entries, nil
}

// Forget empties the ledger.
func (s StandIn) Forget(ctx context.Context) error {
	_, err := s.call(ctx, http.MethodDelete, "/ledger", "")
	return err
}

// AddKey makes the stand-in take a further key.
func (s StandIn) AddKey(ctx context.Context, key string) error {
	body, err := json.Marshal(map[string]string{"key": key})
	if err != nil {
		return err
	}
	_, err = s.call(ctx, http.MethodPost, "/keys", string(body))
	return err
}

// RevokeKey makes the stand-in refuse a key.
func (s StandIn) RevokeKey(ctx context.Context, key string) error {
	_, err := s.call(ctx, http.MethodDelete, "/keys/"+url.PathEscape(key), "")
	return err
}

// Rule says how the stand-in treats requests to come.
type Rule struct {
	// Next is for how many requests; -1: until Normal.
	Next int `json:"next,omitempty"`
	// Path and Key (a fingerprint) limit the rule to some; empty: all.
	Path string `json:"path,omitempty"`
	Key  string `json:"key,omitempty"`
	// Set has settings by the names of test/tarsfake/README.md.
	Set map[string]string `json:"set"`
}

// Treat adds a rule.
func (s StandIn) Treat(ctx context.Context, rule Rule) error {
	body, err := json.Marshal(rule)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, http.MethodPost, "/behaviour", string(body))
	return err
}

// Normal forgets all rules.
func (s StandIn) Normal(ctx context.Context) error {
	_, err := s.call(ctx, http.MethodDelete, "/behaviour", "")
	return err
}

func (s StandIn) call(ctx context.Context, method, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.Admin+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: &http.Transport{Proxy: nil}}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the stand-in: %w", err)
	}
	content, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err != nil {
		return nil, fmt.Errorf("asking the stand-in: %w", err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("the stand-in answered %s %s with %d: %s", method, path, resp.StatusCode, content)
	}
	return content, nil
}
