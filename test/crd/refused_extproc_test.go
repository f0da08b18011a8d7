// SPDX-License-Identifier: Apache-2.0

package crd

const (
	drainMessage = "extProc.drainTimeout must be a duration between 1s and 1h: write for example 10m"
	drainPath    = "spec.extProc.drainTimeout"
	noClaims     = "extProc.resources.claims is not supported: the external processor uses no devices"
	memoryLimit  = "extProc.resources.limits.memory must be at least 32Mi: write for example 256Mi"
	envSyntax    = "an environment variable's name holds letters, digits and '_' and does not begin with a digit"
	envRefused   = "this variable is refused: it could send traffic elsewhere or record its content"
	envOurs      = "this variable is refused: the operator sets it"
	envPath      = "spec.extProc.podTemplate.env"
	envNamePath  = envPath + "[0].name"
)

// env is a spec with the given environment variables.
func env(list string) string { return podTemplate(`env: ` + list) }

// podTemplate is a spec with the given pod template.
func podTemplate(fields string) string {
	return `extProc: {podTemplate: {` + fields + `}}`
}

var extProcRefusals = []refusal{
	{"a negative number of replicas", `extProc: {replicas: -1}`, "spec.extProc.replicas", "greater than or equal to 0"},
	{"101 replicas", `extProc: {replicas: 101}`, "spec.extProc.replicas", "less than or equal to 100"},
	{"a drain below a second", `extProc: {drainTimeout: 999ms}`, drainPath, drainMessage},
	{"a drain above an hour", `extProc: {drainTimeout: 1h1ms}`, drainPath, drainMessage},
	{"a drain that is no duration", `extProc: {drainTimeout: "10"}`, drainPath, durationMessage},

	{"claims of devices", `extProc: {resources: {claims: [{name: gpu}]}}`, "spec.extProc.resources", noClaims},
	{"a memory limit without its unit", `extProc: {resources: {limits: {memory: 256}}}`, "spec.extProc.resources", memoryLimit},
	{"a memory limit in thousandths", `extProc: {resources: {limits: {memory: 256m}}}`, "spec.extProc.resources", memoryLimit},
	{"a memory limit just below 32Mi", `extProc: {resources: {limits: {memory: "33554431"}}}`, "spec.extProc.resources", memoryLimit},
	{"a memory limit just below 32Mi as a number", `extProc: {resources: {limits: {memory: 33554431}}}`, "spec.extProc.resources", memoryLimit},

	{"more than 32 variables", env(listOf(33, `{name: A%d}`)), envPath, "must have at most 32 items"},
	{"a variable given twice", env(`[{name: A, value: b}, {name: A, value: c}]`), envPath + "[1]", "Duplicate value"},
	{"a variable without a name", env(`[{value: x}]`), envNamePath, "Required value"},
	{"a variable with an empty name", env(`[{name: ""}]`), envNamePath, envSyntax},
	{"a variable that begins with a digit", env(`[{name: 1A}]`), envNamePath, envSyntax},
	{"a variable with a hyphen", env(`[{name: A-B}]`), envNamePath, envSyntax},
	{"a variable with a name of 129 characters", env(`[{name: ` + text(129) + `}]`), envNamePath, "may not be more than 128 bytes"},
	{
		"a variable with a value of 1025 characters", env(`[{name: A, value: ` + text(1025) + `}]`),
		envPath + "[0].value", "may not be more than 1024 bytes",
	},
	{"a proxy", env(`[{name: HTTPS_PROXY, value: x}]`), envNamePath, envRefused},
	{"a proxy in lower case", env(`[{name: http_proxy, value: x}]`), envNamePath, envRefused},
	{"a proxy's exceptions", env(`[{name: No_Proxy, value: x}]`), envNamePath, envRefused},
	{"a proxy for everything", env(`[{name: ALL_PROXY, value: x}]`), envNamePath, envRefused},
	{"another file of CAs", env(`[{name: SSL_CERT_FILE, value: x}]`), envNamePath, envRefused},
	{"another folder of CAs", env(`[{name: SSL_CERT_DIR, value: x}]`), envNamePath, envRefused},
	{"Go's debugging, which logs headers", env(`[{name: GODEBUG, value: x}]`), envNamePath, envRefused},
	{"Go's crash dumps", env(`[{name: GOTRACEBACK, value: x}]`), envNamePath, envRefused},
	{"gRPC's binary log, which holds bodies", env(`[{name: GRPC_BINARY_LOG_FILTER, value: x}]`), envNamePath, envRefused},
	{"a preloaded library", env(`[{name: LD_PRELOAD, value: x}]`), envNamePath, envRefused},
	{"headers of telemetry, which hold keys", env(`[{name: OTEL_EXPORTER_OTLP_HEADERS, value: x}]`), envNamePath, envRefused},
	{
		"the capture of prompts", env(`[{name: OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT, value: "true"}]`),
		envNamePath, envRefused,
	},
	{"the pod's name, which the operator sets", env(`[{name: POD_NAME, value: x}]`), envNamePath, envOurs},
	{"the memory limit, which the operator sets", env(`[{name: EXTPROC_MEMORY_LIMIT, value: "1"}]`), envNamePath, envOurs},
}
