// SPDX-License-Identifier: Apache-2.0

package crd

const (
	endpointName = "hostname must be a DNS name of at least two labels in lower case, without scheme, port or path: write for example api.router.tetrate.ai"
	endpointIP   = "hostname must be a DNS name, not an IP address: TLS checks the server's certificate against it"
	caKind       = `a caCertificateRef must name a ConfigMap (group "", kind ConfigMap) with the key ca.crt`
	secretName   = "secretRef.name must be the name of a Secret: lower case letters, digits, '-' and '.', without its namespace"
	secretKey    = "key must be a key of a Secret's data: letters, digits, '-', '_' and '.'"

	caPath = "spec.endpoint.tls.validation.caCertificateRefs"
)

// caRefs is an endpoint that trusts the given CAs.
func caRefs(refs string) string {
	return `endpoint: {tls: {validation: {caCertificateRefs: ` + refs + `}}}`
}

// secretRef is a credential of the given reference.
func secretRef(fields string) string {
	return `credential: {secretRef: {` + fields + `}}`
}

// verification sets spec.credential.verification.
func verification(fields string) string {
	return `credential: {secretRef: {name: s}, verification: {` + fields + `}}`
}

var endpointRefusals = []refusal{
	{"an endpoint given as a URL", `endpoint: {hostname: "https://api.router.tetrate.ai"}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint with a path", `endpoint: {hostname: api.router.tetrate.ai/v1}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint with a port", `endpoint: {hostname: "api.router.tetrate.ai:443"}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint of one label", `endpoint: {hostname: localhost}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint in upper case", `endpoint: {hostname: API.example.com}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint with a final dot", `endpoint: {hostname: api.example.com.}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint with a wildcard", `endpoint: {hostname: "*.example.com"}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint with a label of 64 characters", `endpoint: {hostname: ` + text(64) + `.example.com}`, "spec.endpoint.hostname", endpointName},
	{"an endpoint whose last label ends in a hyphen", `endpoint: {hostname: api.example-}`, "spec.endpoint.hostname", endpointName},
	{"an empty endpoint", `endpoint: {hostname: ""}`, "spec.endpoint.hostname", endpointName},
	{"an IPv4 address as the endpoint", `endpoint: {hostname: 169.254.169.254}`, "spec.endpoint.hostname", endpointIP},
	{"an IPv6 address as the endpoint", `endpoint: {hostname: "fd00::1"}`, "spec.endpoint.hostname", endpointName},
	{
		"an endpoint of 254 characters", `endpoint: {hostname: ` + longHost(254) + `}`,
		"spec.endpoint.hostname", "may not be more than 253 bytes",
	},
	{"port 0", `endpoint: {port: 0}`, "spec.endpoint.port", "greater than or equal to 1"},
	{"port 65536", `endpoint: {port: 65536}`, "spec.endpoint.port", "less than or equal to 65535"},

	{
		"two CAs", caRefs(listOf(2, `{group: "", kind: ConfigMap, name: ca%d}`)), caPath, "must have at most 1 item",
	},
	{"a Secret as the CA", caRefs(`[{group: "", kind: Secret, name: ca}]`), caPath, caKind},
	{"another group's ConfigMap as the CA", caRefs(`[{group: example.com, kind: ConfigMap, name: ca}]`), caPath, caKind},
	{"a CA without a group", caRefs(`[{kind: ConfigMap, name: ca}]`), caPath + "[0].group", "Required value"},
	{"a CA without a kind", caRefs(`[{group: "", name: ca}]`), caPath + "[0].kind", "Required value"},
	{"a CA without a name", caRefs(`[{group: "", kind: ConfigMap}]`), caPath + "[0].name", "Required value"},

	{"no credential", `credential: null`, "spec.credential", "Required value"},
	{"a credential without a Secret", `credential: {}`, "spec.credential.secretRef", "Required value"},
	{"a Secret without a name", secretRef(`key: apiKey`), "spec.credential.secretRef.name", "Required value"},
	{"a Secret with an empty name", secretRef(`name: ""`), "spec.credential.secretRef.name", secretName},
	{"a Secret named with its namespace", secretRef(`name: team-a/tars`), "spec.credential.secretRef.name", secretName},
	{"a Secret in upper case", secretRef(`name: TARS`), "spec.credential.secretRef.name", secretName},
	{"a Secret whose name ends in a hyphen", secretRef(`name: tars-`), "spec.credential.secretRef.name", secretName},
	{
		"a Secret with a name of 254 characters", secretRef(`name: ` + text(254)),
		"spec.credential.secretRef.name", "may not be more than 253 bytes",
	},
	{"an empty key", secretRef(`name: s, key: ""`), "spec.credential.secretRef.key", secretKey},
	{"a key with a slash", secretRef(`name: s, key: a/b`), "spec.credential.secretRef.key", secretKey},
	{"the TARS key itself in place of its name", secretRef(`name: s, key: "Bearer sk-x"`), "spec.credential.secretRef.key", secretKey},
	{
		"a key of 254 characters", secretRef(`name: s, key: ` + text(254)),
		"spec.credential.secretRef.key", "may not be more than 253 bytes",
	},
}
