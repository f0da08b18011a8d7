// SPDX-License-Identifier: Apache-2.0

package crd

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Each rule's and each bound's last good value stands here, so that a rule
// that became stricter is found too.
var _ = Describe("A TarsBackend is accepted", func() {
	DescribeTable("with", func(ctx SpecContext, spec string) {
		Expect(admit(ctx, tarsBackend("example", spec))).To(Succeed())
	},
		Entry("no more than it needs", ""),

		Entry("8 parentRefs", `parentRefs: `+listOf(8, `{name: g%d}`)),
		Entry("group and kind of its parent written out", `parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}]`),
		Entry("Gateways of one name in three namespaces", `parentRefs: [{name: g}, {name: g, namespace: a}, {name: g, namespace: b}]`),
		Entry("two listeners of a Gateway", `parentRefs: [{name: g, sectionName: a}, {name: g, sectionName: b}]`),
		Entry("two listeners of a Gateway, both with their port", `parentRefs: [{name: g, sectionName: a, port: 80}, {name: g, sectionName: b, port: 80}]`),
		Entry("listeners of one name of two Gateways", `parentRefs: [{name: g, sectionName: a}, {name: h, sectionName: a, port: 80}]`),
		Entry("a port without a listener", `parentRefs: [{name: g, port: 80}]`),

		Entry("no hostnames", `hostnames: []`),
		Entry("16 hostnames", `hostnames: `+listOf(16, `h%d.example.com`)),
		Entry("a wildcard hostname", `hostnames: ["*.example.com"]`),
		Entry("a hostname of one label", `hostnames: [localhost]`),
		Entry("a hostname that only begins like an address", `hostnames: [192.0.2.1.example.com]`),
		Entry("a hostname of 253 characters", `hostnames: [`+longHost(253)+`]`),

		Entry("the root as path", `pathPrefix: /`),
		Entry("a path of two segments", `pathPrefix: /team-a/llm`),
		Entry("a path of 256 characters", `pathPrefix: /`+text(255)),
		Entry("a path with every character it may hold", `pathPrefix: "/AZaz09._~!$&()*+,;=:@-"`),
		Entry("dots that are no whole segment", `pathPrefix: /.well/a..b/...`),
		Entry("a version inside the path", `pathPrefix: /v1/llm`),
		Entry("a path that ends like the version", `pathPrefix: /llmv1`),
		Entry("another version at the end", `pathPrefix: /llm/v11`),

		Entry("an empty endpoint, which means the default", `endpoint: {}`),
		Entry("an endpoint of two labels", `endpoint: {hostname: a.b}`),
		Entry("an endpoint with digits and hyphens", `endpoint: {hostname: 0-az09-a.9--z.a-09z-0}`),
		Entry("an endpoint of letters and digits", `endpoint: {hostname: a-9.z-z.9-9.z-a}`),
		Entry("an endpoint that ends in a digit", `endpoint: {hostname: z.0-9}`),
		Entry("an endpoint of one-letter labels", `endpoint: {hostname: 9.0.z.a}`),
		Entry("an endpoint whose last label has 63 characters", `endpoint: {hostname: a.`+text(63)+`}`),
		Entry("an endpoint with a label of 63 characters", `endpoint: {hostname: `+text(63)+`.example.com}`),
		Entry("an endpoint of 253 characters", `endpoint: {hostname: `+longHost(253)+`}`),
		Entry("an endpoint that begins like an address", `endpoint: {hostname: 192.0.2.1.example.com}`),
		Entry("port 1", `endpoint: {port: 1}`),
		Entry("port 65535", `endpoint: {port: 65535}`),
		Entry("a CA", caRefs(`[{group: "", kind: ConfigMap, name: ca}]`)),
		Entry("no CA", caRefs(`[]`)),
		Entry("an empty tls", `endpoint: {tls: {}}`),

		Entry("a Secret of one character", secretRef(`name: s`)),
		Entry("a Secret with dots, digits and hyphens", secretRef(`name: 0.az-09.9`)),
		Entry("a Secret that begins and ends in letters", secretRef(`name: a-09.z`)),
		Entry("a Secret that begins with the last digit", secretRef(`name: 9z.0a`)),
		Entry("a Secret that begins with the last letter", secretRef(`name: z9-0`)),
		Entry("a Secret with a name of 253 characters", secretRef(`name: `+text(253))),
		Entry("no verification", verification(`mode: Disabled`)),
		Entry("empty verification", verification(``)),
		Entry("verification each minute", verification(`mode: Periodic, interval: 1m`)),
		Entry("verification each 60000ms", verification(`interval: 60000ms`)),
		Entry("verification each day", verification(`interval: 24h`)),
		Entry("a key with every kind of character", secretRef(`name: s, key: "-._azAZ09"`)),
		Entry("a key of 253 characters", secretRef(`name: s, key: `+text(253))),

		Entry("empty models", `models: {}`),
		Entry("one allowed model", allow(`[gpt-4o-mini]`)),
		Entry("256 allowed models", allow(listOf(256, `m%d`))),
		Entry("a model of 256 characters", allow(`[`+text(256)+`]`)),
		Entry("a prefix of 255 characters and *", allow(`["`+text(255)+`*"]`)),
		Entry("every model, by *", allow(`["*"]`)),
		Entry("a prefix that is also allowed exactly", allow(`["claude-*", claude-]`)),
		Entry("a model with each kind of character", allow(`["!meta-llama/Llama-3.3:free@2~"]`)),
		Entry("no aliases", aliases(`[]`)),
		Entry("an alias with the name of an allowed model", `models: {allow: [a], aliases: [{name: a, model: b}]}`),
		Entry("two aliases of one model", aliases(`[{name: a, model: m}, {name: b, model: m}]`)),
		Entry("64 aliases", aliases(listOf(64, `{name: a%d, model: m}`))),
		Entry("an alias of 256 characters of a model of 256", aliases(`[{name: b`+text(255)+`, model: `+text(256)+`}]`)),
		Entry("an alias with each kind of character", aliases(`[{name: "!fast/1:~", model: "!xai/grok-4.5:~"}]`)),
		Entry("the largest models there are", `models: {allow: `+listOf(256, `m%d-`+text(250))+
			`, aliases: `+listOf(64, `{name: a%d-`+text(250)+`, model: b%d-`+text(250)+`}`)+`}`),
		Entry("unlisted paths forwarded", `unlistedPaths: Forward`),
		Entry("unlisted paths denied", `unlistedPaths: Deny`),
		Entry("unlisted paths forwarded beside an allow-list", `{unlistedPaths: Forward, models: {allow: [a]}}`),
	)
})

var _ = Describe("A TarsBackend is accepted in its limits and its pods", func() {
	DescribeTable("with", func(ctx SpecContext, spec string) {
		Expect(admit(ctx, tarsBackend("example", spec))).To(Succeed())
	},
		Entry("empty timeouts", `timeouts: {}`),
		Entry("the shortest connect timeout", `timeouts: {connect: 1ms}`),
		Entry("every unit of a duration", `timeouts: {connect: 1h2m3s4ms, streamIdle: 99999h, request: 1m}`),
		Entry("an empty retry", `retry: {}`),
		Entry("no retry", `retry: {attempts: 0, codes: []}`),
		Entry("the most of retries", `retry: {attempts: 5, codes: [400, 408, 429, 500, 502, 503, 504, 599]}`),
		Entry("no bounds in time", `timeouts: {streamIdle: 0s, request: 0s}`),
		Entry("an empty requestBody", `requestBody: {}`),
		Entry("a body limit of 1Ki", `requestBody: {maxSize: 1Ki}`),
		Entry("a body limit of 1024 as a number", `requestBody: {maxSize: 1024}`),
		Entry("a body limit of 256Mi", `requestBody: {maxSize: 256Mi}`),
		Entry("a body limit of 256Mi as a number", `requestBody: {maxSize: 268435456}`),
		Entry("a body limit in decimal", `requestBody: {maxSize: 1.5M}`),
		Entry("a body limit with an exponent", `requestBody: {maxSize: 32e6}`),
		Entry("readiness without the data plane", `readiness: {dataPlane: Informational}`),
		Entry("empty readiness", `readiness: {}`),

		Entry("an empty extProc", `extProc: {}`),
		Entry("no replicas", `extProc: {replicas: 0}`),
		Entry("100 replicas", `extProc: {replicas: 100}`),
		Entry("a drain of one second", `extProc: {drainTimeout: 1000ms}`),
		Entry("a drain of an hour", `extProc: {drainTimeout: 60m}`),
		Entry("resources", `extProc: {resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 64Mi}}}`),
		Entry("a memory limit of 32Mi", `extProc: {resources: {limits: {memory: 32Mi}}}`),
		Entry("a memory limit of 32Mi as a number", `extProc: {resources: {limits: {memory: 33554432}}}`),
		Entry("a limit of CPU alone", `extProc: {resources: {limits: {cpu: "1"}}}`),
		Entry("empty resources", `extProc: {resources: {}}`),
		Entry("an empty pod template", podTemplate(``)),
		Entry("empty metadata of pods", podTemplate(`metadata: {}`)),
		Entry("8 pull secrets", podTemplate(`imagePullSecrets: `+listOf(8, `{name: s%d}`))),
		Entry("a pull secret with a name of 253 characters", podTemplate(`imagePullSecrets: [{name: `+text(253)+`}]`)),
		Entry("32 tolerations", podTemplate(`tolerations: `+listOf(32, `{key: k%d, operator: Exists, effect: NoSchedule}`))),
		Entry("affinity", podTemplate(`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: `+
			`{nodeSelectorTerms: [{matchExpressions: [{key: k, operator: In, values: [v]}]}]}}}`)),
		Entry("a priority class of 253 characters", podTemplate(`priorityClassName: `+text(253))),
		Entry("32 node labels", podTemplate(`nodeSelector: `+mapOf(32, `k%d`, `v`))),
		Entry("a node label with a prefix and no value", podTemplate(`nodeSelector: {node-role.kubernetes.io/llm: ""}`)),
		Entry("a node label of 63 characters", podTemplate(`nodeSelector: {`+text(63)+`: `+text(63)+`}`)),
		Entry("32 labels", podLabels(mapOf(32, `k%d`, `v`))),
		Entry("a label with a prefix and every kind of character", podLabels(`{example.com/A-_.9: A-_.9}`)),
		Entry("a label of 63 characters", podLabels(`{`+text(63)+`: `+text(63)+`}`)),
		Entry("32 annotations", podAnnotations(mapOf(32, `k%d`, `v`))),
		Entry("an annotation with any text", podAnnotations(`{example.com/k: "{\"any\": [text]}\n"}`)),
		Entry("an annotation of 4096 characters", podAnnotations(`{k: `+text(4096)+`}`)),
		Entry("32 variables", env(listOf(32, `{name: A%d}`))),
		Entry("a variable with a name of 128 characters and a value of 1024", env(`[{name: `+text(128)+`, value: `+text(1024)+`}]`)),
		Entry("a variable of one underscore", env(`[{name: _}]`)),
		Entry("variables of each kind of character", env(`[{name: AZ_az09}, {name: ZAza90}, {name: az}, {name: za}]`)),
		Entry("an endpoint of telemetry", env(`[{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://collector.example.com:4317"}]`)),
		Entry("Go's memory limit", env(`[{name: GOMEMLIMIT, value: 100MiB}]`)),
		Entry("variables that only look like refused ones", env(`[{name: MY_HTTP_PROXY_HOST}, {name: OLD_NAME}, {name: HEADERS}, {name: SSL_CERTS}]`)),
	)

	DescribeTable("with the name", func(ctx SpecContext, name string) {
		Expect(admit(ctx, tarsBackend(name, ""))).To(Succeed())
	},
		Entry("of one letter", "a"),
		Entry("with the first and last letters and digits", "a-z09"),
		Entry("with the last letter first", "z0-9a"),
		Entry("of 253 characters", text(253)),
	)
})
