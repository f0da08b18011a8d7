// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/grafana/grafana-foundation-sdk/go/units"

// now is what to look at first.
func (b *builder) now() {
	b.row("Now")
	b.number(panel{
		title: "TarsBackends not Ready", width: third / 2, unit: units.Short,
		help: "How many are not Ready; the table says why.",
		queries: []query{{
			expr: `count(max by (tarsbackend) (tars_tarsbackend_condition{type="Ready",status!="True",` + ours + `})) or vector(0)`,
		}},
	}, 1)
	b.number(panel{
		title: "Requests failing", width: third / 2, unit: units.PercentUnit,
		help:    "Share of requests that end in a 5xx, whoever answered it.",
		queries: []query{{expr: "(" + rate("", "tars_requests_total", `code=~"5.."`) + " or vector(0)) / " + rate("", "tars_requests_total")}},
	}, 0.05)
	b.number(panel{
		title: "Key rejected or no credits", width: third / 2, unit: units.RequestsPerSecond,
		help:    "Requests to which TARS answers 401, 402 or 403.",
		queries: []query{{expr: rate("", "tars_upstream_errors_total", `class=~"authentication|credits"`)}},
	}, 0.001)
	b.number(panel{
		title: "Requests", width: third / 2, unit: units.RequestsPerSecond,
		help:    "All requests, refused ones too.",
		queries: []query{{expr: rate("", "tars_requests_total")}},
	}, 0)
	b.number(panel{
		title: "In flight", width: third / 2, unit: units.Short,
		help:    "Requests that have not ended.",
		queries: []query{{expr: `sum(tars_requests_in_flight{` + ours + `})`}},
	}, 0)
	b.number(panel{
		title: "Fullest external processor", width: third / 2, unit: units.PercentUnit,
		help:    "Bytes of bodies held, of those that a pod's memory allows; at 100 % it answers 503. Of all TarsBackends.",
		queries: []query{{expr: `max(tars_held_bytes / tars_held_bytes_limit)`}},
	}, 0.8)
	b.list(panel{
		title: "Conditions", width: half,
		help:    "Every condition of every TarsBackend. DataPlaneVerified is the canary's word. The runbook has each reason.",
		queries: []query{{expr: `max by (tarsbackend, type, status, reason) (tars_tarsbackend_condition{` + ours + `})`}},
	}, "")
	b.list(panel{
		title: "Alerts", width: half,
		help:    "Alerts of TARS operator that fire or are about to.",
		queries: []query{{expr: `max by (alertname, alertstate, severity, tarsbackend, source, pod) (ALERTS{alertname=~"Tars.*"})`}},
	}, "")
}

// requests is who answers what.
func (b *builder) requests() {
	b.row("Requests and errors")
	b.graph(panel{
		title: "Requests by status", width: half, unit: units.RequestsPerSecond,
		help:    "499: gone before an answer.",
		queries: []query{{rate("code", "tars_requests_total"), "{{code}}"}},
	})
	b.graph(panel{
		title: "Errors by source", width: half, unit: units.RequestsPerSecond,
		help: "Which layer answered 4xx and 5xx: client (the request is wrong), limit (of the platform), gateway (Envoy), " +
			"extproc (out of memory), tars.",
		queries: []query{{rate("source, code", "tars_requests_total", `source!="none"`), "{{source}} {{code}}"}},
	})
	b.graph(panel{
		title: "Errors of TARS by class", width: half, unit: units.RequestsPerSecond,
		help:    "Errors inside a 200 included. authentication: the key; credits: the account.",
		queries: []query{{rate("class", "tars_upstream_errors_total"), "{{class}}"}},
	})
	b.graph(panel{
		title: "Refusals by reason", width: half, unit: units.RequestsPerSecond,
		help:    "Answers of the external processor itself, by the error's code. overloaded: out of memory for bodies.",
		queries: []query{{rate("reason", "tars_refusals_total"), "{{reason}}"}},
	})
	b.graph(panel{
		title: "Ready and canary", width: half, unit: units.Short,
		help: "1: yes. The canary (DataPlaneVerified) is a request of the operator through every Envoy.",
		queries: []query{
			{yes("Ready"), "{{tarsbackend}} Ready"},
			{yes("DataPlaneVerified"), "{{tarsbackend}} canary"},
		},
	})
	b.graph(panel{
		title: "Aborted requests", width: half, unit: units.RequestsPerSecond,
		help:    "Ended before their answer did: the app hung up, or the connection to TARS broke.",
		queries: []query{{rate("tarsbackend, path", "tars_requests_aborted_total"), "{{tarsbackend}} {{path}}"}},
	})
}

// yes is 1 where a condition is True, and 0 where it is not.
func yes(condition string) string {
	series := `tars_tarsbackend_condition{type="` + condition + `",` + ours
	return `max by (tarsbackend) (` + series + `,status="True"}) or 0 * max by (tarsbackend) (` + series + `})`
}

// time is how long apps wait.
func (b *builder) time() {
	b.row("Time")
	b.graph(panel{
		title: "Time to the first token", width: third, unit: units.Seconds,
		help:    "Of streams, from the request's headers to the answer's first byte.",
		queries: quantiles("gen_ai_server_time_to_first_token_seconds", 0.5, 0.9, 0.99),
	})
	b.graph(panel{
		title: "Time per token after the first", width: third, unit: units.Seconds,
		help:    "Of streams, without reasoning tokens.",
		queries: quantiles("gen_ai_server_time_per_output_token_seconds", 0.5, 0.9, 0.99),
	})
	b.graph(panel{
		title: "Duration", width: third, unit: units.Seconds,
		help:    "Of requests to models, from their headers to the end of the answer; refused ones too.",
		queries: quantiles("gen_ai_server_request_duration_seconds", 0.5, 0.9, 0.99),
	})
	b.graph(panel{
		title: "Time to the first token by model (p90)", width: half, unit: units.Seconds,
		queries: []query{{
			`histogram_quantile(0.9, ` + rate("le, gen_ai_request_model", "gen_ai_server_time_to_first_token_seconds_bucket") + `)`,
			"{{gen_ai_request_model}}",
		}},
	})
	b.graph(panel{
		title: "Duration by model (p90)", width: half, unit: units.Seconds,
		queries: []query{{
			`histogram_quantile(0.9, ` + rate("le, gen_ai_request_model", "gen_ai_server_request_duration_seconds_bucket") + `)`,
			"{{gen_ai_request_model}}",
		}},
	})
}

// tokens is what costs money.
func (b *builder) tokens() {
	b.row("Tokens")
	b.graph(panel{
		title: "Tokens by model", width: half, unit: units.Short,
		help: "A second, input and output, as TARS told them.",
		queries: []query{{
			rate("gen_ai_request_model, gen_ai_token_type", "gen_ai_client_token_usage_sum"),
			"{{gen_ai_request_model}} {{gen_ai_token_type}}",
		}},
	})
	b.list(panel{
		title: "Tokens in this time", width: half, unit: units.Short,
		help: "What to multiply with prices. An estimate: Prometheus extrapolates, and misses what a killed pod counted after its last scrape.",
		queries: []query{{
			expr: `sum by (tarsbackend, gen_ai_request_model, gen_ai_token_type) (increase(gen_ai_client_token_usage_sum{` + ours + `}[$__range]))`,
		}},
	}, "tokens")
	b.graph(panel{
		title: "Parts of tokens", width: third, unit: units.Short,
		help:    "A second: cached_input and cache_creation are parts of the input, reasoning of the output. They have other prices.",
		queries: []query{{rate("gen_ai_request_model, subset", "tars_token_subset_total"), "{{gen_ai_request_model}} {{subset}}"}},
	})
	b.graph(panel{
		title: "Tokens per request (p50, p90)", width: third, unit: units.Short,
		queries: []query{
			{`histogram_quantile(0.5, ` + rate("le, gen_ai_token_type", "gen_ai_client_token_usage_bucket") + `)`, "p50 {{gen_ai_token_type}}"},
			{`histogram_quantile(0.9, ` + rate("le, gen_ai_token_type", "gen_ai_client_token_usage_bucket") + `)`, "p90 {{gen_ai_token_type}}"},
		},
	})
	b.graph(panel{
		title: "Answers that told no tokens", width: third, unit: units.RequestsPerSecond,
		help:    "They are in no sum here.",
		queries: []query{{rate("tarsbackend, path", "tars_usage_missing_total"), "{{tarsbackend}} {{path}}"}},
	})
}

// extProc is the pods in the request's path.
func (b *builder) extProc() {
	b.row("External processors")
	b.graph(panel{
		title: "Memory for bodies in use", width: third, unit: units.PercentUnit,
		help:    "At 100 % requests are answered 503. Of all TarsBackends.",
		queries: []query{{`max by (namespace, pod) (tars_held_bytes / tars_held_bytes_limit)`, "{{namespace}}/{{pod}}"}},
	})
	b.graph(panel{
		title: "Requests in flight", width: third, unit: units.Short,
		queries: []query{{`sum by (tarsbackend) (tars_requests_in_flight{` + ours + `})`, "{{tarsbackend}}"}},
	})
	b.graph(panel{
		title: "Pods by version and configuration", width: third, unit: units.Short,
		help: "More than one configuration of a TarsBackend: it is rolling out, or stuck in it.",
		queries: []query{
			{`count by (version) (tars_extproc_build_info)`, "{{version}}"},
			{`count by (namespace, config_hash) (tars_extproc_config_info)`, "{{namespace}} {{config_hash}}"},
		},
	})
}
