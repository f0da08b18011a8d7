// SPDX-License-Identifier: Apache-2.0

package crd

const (
	maxSizeMessage  = "requestBody.maxSize must be between 1Ki and 256Mi: write for example 32Mi"
	maxSizePath     = "spec.requestBody.maxSize"
	connectMessage  = "timeouts.connect must be a duration above 0s: write for example 10s"
	intervalMessage = "credential.verification.interval must be between 1m and 24h: write for example 10m"
	durationMessage = `should match '^([0-9]{1,5}(h|m|s|ms)){1,4}$'`
)

var limitRefusals = []refusal{
	{"verification in another mode", verification(`mode: Once`), "spec.credential.verification.mode", `supported values: "Periodic", "Disabled"`},
	{"verification more than once a minute", verification(`interval: 59s`), "spec.credential.verification.interval", intervalMessage},
	{"verification less than once a day", verification(`interval: 24h1ms`), "spec.credential.verification.interval", intervalMessage},
	{"verification now and then", verification(`interval: often`), "spec.credential.verification.interval", durationMessage},

	{"a connect timeout of 0s", `timeouts: {connect: 0s}`, "spec.timeouts.connect", connectMessage},
	{"a connect timeout of 0h0ms", `timeouts: {connect: 0h0ms}`, "spec.timeouts.connect", connectMessage},
	{"a connect timeout that is no duration", `timeouts: {connect: soon}`, "spec.timeouts.connect", durationMessage},
	{"a negative idle timeout", `timeouts: {streamIdle: "-1s"}`, "spec.timeouts.streamIdle", durationMessage},
	{"an idle timeout in days", `timeouts: {streamIdle: 1d}`, "spec.timeouts.streamIdle", durationMessage},
	{"a fractional request timeout", `timeouts: {request: 1.5s}`, "spec.timeouts.request", durationMessage},

	{"a negative number of retries", `retry: {attempts: -1}`, "spec.retry.attempts", "greater than or equal to 0"},
	{"six retries", `retry: {attempts: 6}`, "spec.retry.attempts", "less than or equal to 5"},
	{"a retry after a success", `retry: {codes: [200]}`, "spec.retry.codes[0]", "greater than or equal to 400"},
	{"a retry after what is no status", `retry: {codes: [600]}`, "spec.retry.codes[0]", "less than or equal to 599"},
	{"a retry code twice", `retry: {codes: [503, 503]}`, "spec.retry.codes[1]", "Duplicate value"},
	{"nine retry codes", `retry: {codes: [500, 501, 502, 503, 504, 505, 506, 507, 508]}`, "spec.retry.codes", "must have at most 8 items"},

	{"a body limit below 1Ki", `requestBody: {maxSize: "1023"}`, maxSizePath, maxSizeMessage},
	{"a body limit below 1Ki as a number", `requestBody: {maxSize: 1023}`, maxSizePath, maxSizeMessage},
	{"a body limit above 256Mi", `requestBody: {maxSize: 257Mi}`, maxSizePath, maxSizeMessage},
	{"a body limit one byte above 256Mi", `requestBody: {maxSize: "268435457"}`, maxSizePath, maxSizeMessage},
	{"a body limit above 256Mi as a number", `requestBody: {maxSize: 268435457}`, maxSizePath, maxSizeMessage},
	{"a body limit of 0", `requestBody: {maxSize: "0"}`, maxSizePath, maxSizeMessage},
	{"a negative body limit", `requestBody: {maxSize: "-1Mi"}`, maxSizePath, maxSizeMessage},
	{"a negative body limit as a number", `requestBody: {maxSize: -5000}`, maxSizePath, maxSizeMessage},
	{"a body limit that is no quantity", `requestBody: {maxSize: 32MB}`, maxSizePath, "should match"},

	{"another word for readiness", `readiness: {dataPlane: Optional}`, "spec.readiness.dataPlane", `supported values: "Required", "Informational"`},
}
