// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

//go:embed envoy.yaml.tmpl
var envoyTemplate string

// adminTimeout is for an answer of Envoy's admin port.
const adminTimeout = 5 * time.Second

// Route is one TarsBackend in Envoy's configuration.
type Route struct {
	// Name is the HTTPRoute's, Prefix what comes before /v1, "" for nothing.
	Name, Prefix string
	// Token is what ext_proc lets a request pass with.
	Token string
	// Cluster is the name of an upstream, Processor that of an external
	// processor, "" for none.
	Cluster, Processor string
	// Secured asks for the client key "client-key", Limited lets one request
	// an hour pass, CORS lets the pages of https://app.example.com ask.
	Secured, Limited, CORS bool
	// LimitCookies are set where Limited lets a request not pass.
	LimitCookies []string
	// Timeout is for the whole answer (default none), IdleTimeout for a pause
	// in it (default 60s); both as in Envoy's configuration.
	Timeout, IdleTimeout string
}

// Upstream is a cluster that a route may lead to.
type Upstream struct {
	// Port is on 127.0.0.1; "": the cluster has no endpoint.
	Port string
	// CA is the authority to trust, in PEM; nil: plain HTTP/1.1.
	CA []byte
	// MaxStream is for one attempt from its begin to its end, as in Envoy's
	// configuration; default none.
	MaxStream string
}

// EnvoyConfig is what Envoy is to serve.
type EnvoyConfig struct {
	// Credential is the value of Authorization that upstreams get.
	Credential string
	// BufferLimit is what a connection of a client may have buffered, in bytes, as a
	// ClientTrafficPolicy says; default 32 KiB, Envoy Gateway's.
	BufferLimit int
	// ProcessorBuffer is what a connection to an external processor may have buffered, in
	// bytes; default 1 MiB, the operator's.
	ProcessorBuffer int
	// Workers is the number of Envoy's worker threads; default 2.
	Workers int
	Routes  []Route
	// Entry is the HTTP port of an external processor, the backend of every rule
	// entry.
	Entry string
	// Processors are the ports of external processors, Upstreams the clusters,
	// by name.
	Processors map[string][]string
	Upstreams  map[string]Upstream
}

// Envoy is a running Envoy.
type Envoy struct {
	*Process

	// Address is the listener's, Admin the admin port's, AccessLog the path of
	// the log.
	Address, Admin, AccessLog string
}

// envoyBinary finds Envoy, or says how to get it.
func envoyBinary(ctx context.Context, o Options) (string, error) {
	if path := os.Getenv("TARS_TEST_ENVOY"); path != "" {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, filepath.Join(o.Root, "test", "cluster", "cluster"), "tool", "envoy").Output()
	if err != nil {
		return "", fmt.Errorf("no Envoy: set TARS_TEST_ENVOY to an Envoy 1.39, or mend 'test/cluster/cluster tool envoy': %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// StartEnvoy runs Envoy on free ports. It ends with the context.
func StartEnvoy(ctx context.Context, o Options, c EnvoyConfig) (*Envoy, error) {
	binary, err := envoyBinary(ctx, o)
	if err != nil {
		return nil, err
	}
	accessLog := filepath.Join(o.Dir, "access.log")
	path, err := c.write(o.Dir, accessLog)
	if err != nil {
		return nil, fmt.Errorf("writing Envoy's configuration: %w", err)
	}
	admin := filepath.Join(o.Dir, "admin")
	process, err := start("envoy", exec.CommandContext(ctx, binary, "-c", path, "--admin-address-path", admin,
		"--use-dynamic-base-id", "--concurrency", strconv.Itoa(cmp.Or(c.Workers, 2)), "--file-flush-interval-msec", "20",
		"--log-level", "warning"), o.Log)
	if err != nil {
		return nil, err
	}
	e := &Envoy{Process: process, AccessLog: accessLog}
	return e, process.ready(func() error {
		address, err := os.ReadFile(admin)
		if err == nil {
			e.Admin = string(address)
			e.Address, err = listener(ctx, e.Admin)
		}
		return err
	})
}

// write renders the configuration and what it names into the folder.
func (c EnvoyConfig) write(dir, accessLog string) (string, error) {
	page := struct {
		EnvoyConfig

		AccessLog, Secret string
		Authorities       map[string]string
	}{EnvoyConfig: c, AccessLog: accessLog, Secret: filepath.Join(dir, "secret.yaml"), Authorities: map[string]string{}}
	for name, upstream := range c.Upstreams {
		if upstream.CA == nil {
			continue
		}
		page.Authorities[name] = filepath.Join(dir, name+"-ca.pem")
		if err := os.WriteFile(page.Authorities[name], upstream.CA, 0o600); err != nil {
			return "", err
		}
	}
	secret, err := json.Marshal(map[string]any{"resources": []any{map[string]any{
		"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "name": "credential",
		"generic_secret": map[string]any{"secret": map[string]any{"inline_string": c.Credential}},
	}}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(page.Secret, secret, 0o600); err != nil {
		return "", err
	}
	parsed, err := template.New("envoy").Parse(envoyTemplate)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	if err := parsed.Execute(&text, page); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "envoy.yaml")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

// listener asks the admin port for the address of the only listener, once
// Envoy is live.
func listener(ctx context.Context, admin string) (string, error) {
	var ready struct {
		State string `json:"state"`
	}
	if err := fetch(ctx, "http://"+admin+"/server_info", &ready); err != nil {
		return "", err
	}
	if ready.State != "LIVE" {
		return "", fmt.Errorf("it is %q", ready.State)
	}
	var listeners struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := fetch(ctx, "http://"+admin+"/listeners?format=json", &listeners); err != nil {
		return "", err
	}
	if len(listeners.Statuses) != 1 {
		return "", fmt.Errorf("it has %d listeners", len(listeners.Statuses))
	}
	socket := listeners.Statuses[0].Address.Socket
	return fmt.Sprintf("%s:%d", socket.Address, socket.Port), nil
}

func fetch(ctx context.Context, url string, into any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("getting %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("getting %s: %w", url, err)
	}
	err = json.NewDecoder(resp.Body).Decode(into)
	if closeErr := resp.Body.Close(); closeErr != nil && err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", url, err)
	}
	return nil
}
