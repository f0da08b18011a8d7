// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
)

// backend is a TarsBackend as a user would write it.
type backend struct {
	name, namespace, prefix string
	gateway                 string
	// also is a second Gateway; empty: none.
	also  string
	extra string
}

// manifests are those of the key's Secret and the TarsBackend.
func (b backend) manifests() string { return secretManifest(b.secretName(), demoKey) + b.manifest() }

func (b backend) secretName() string { return b.name + "-key" }

// manifest is that of the TarsBackend alone.
func (b backend) manifest() string {
	parents := fmt.Sprintf("{name: %s, namespace: %s}", b.gateway, gatewayNamespace)
	if b.also != "" {
		parents += fmt.Sprintf(", {name: %s, namespace: %s}", b.also, gatewayNamespace)
	}
	return fmt.Sprintf(`---
apiVersion: gateway.tars.dev/v1alpha1
kind: TarsBackend
metadata: {name: %s}
spec:
  parentRefs: [%s]
  pathPrefix: %s
  credential: {secretRef: {name: %s}}
%s`, b.name, parents, b.prefix, b.secretName(), indent(b.extra))
}

func secretManifest(name, key string) string {
	return fmt.Sprintf(`---
apiVersion: v1
kind: Secret
metadata: {name: %s}
stringData: {apiKey: %s}
`, name, key)
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return "  " + strings.Join(lines, "\n  ") + "\n"
}

// gatewayManifest is a Gateway that serves every namespace.
func gatewayManifest(name string) string {
	return fmt.Sprintf(`---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: %s}
spec:
  gatewayClassName: eg
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
`, name)
}
