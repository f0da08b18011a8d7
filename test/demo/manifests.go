// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/test/lab"
)

// borrowsStandIn says whether a stand-in runs in somebody else's cluster: under
// a name of its own there, since that cluster's DNS is not ours.
func (d *demo) borrowsStandIn() bool { return d.lab.Context != "" && d.key == "" }

// manifests are those of the Gateway, the key and the TarsBackend.
func (d *demo) manifests(ctx context.Context) ([]string, error) {
	gateway, err := d.gatewayManifest(ctx)
	if err != nil {
		return nil, err
	}
	key := d.key
	if key == "" {
		key = lab.StandInKey
	}
	secret, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "tars-api-key"},
		"stringData": map[string]string{"apiKey": key},
	})
	if err != nil {
		return nil, err
	}
	backend, err := d.backendManifest()
	return []string{gateway, string(secret), backend}, err
}

func (d *demo) sample(name string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(d.lab.Root, "config/samples", name))
	if err != nil {
		return nil, fmt.Errorf("reading a sample: %w", err)
	}
	return content, nil
}

// gatewayManifest is the sample; in somebody else's cluster a Gateway of a
// class that is there.
func (d *demo) gatewayManifest(ctx context.Context) (string, error) {
	if d.lab.Context == "" {
		content, err := d.sample("gateway.yaml")
		return string(content), err
	}
	class, err := d.lab.GatewayClass(ctx)
	return fmt.Sprintf("{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: %s}, "+
		"spec: {gatewayClassName: %q, listeners: [{name: http, port: 80, protocol: HTTP}]}}", gateway, class), err
}

// backendManifest is the sample, with the stand-in's own name where it needs one.
func (d *demo) backendManifest() (string, error) {
	content, err := d.sample("gateway_v1alpha1_tarsbackend.yaml")
	if err != nil || !d.borrowsStandIn() {
		return string(content), err
	}
	var object map[string]any
	if err := yaml.Unmarshal(content, &object); err != nil {
		return "", fmt.Errorf("reading the sample: %w", err)
	}
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("the sample has no spec: %s", content)
	}
	spec["endpoint"] = map[string]any{
		"hostname": lab.StandInHost,
		"tls": map[string]any{"validation": map[string]any{"caCertificateRefs": []map[string]string{
			{"group": "", "kind": "ConfigMap", "name": "tarsfake-ca"},
		}}},
	}
	changed, err := yaml.Marshal(object)
	return string(changed), err
}
