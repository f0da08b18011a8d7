// SPDX-License-Identifier: Apache-2.0

package errorcase

import (
	"cmp"
	"strings"
)

// API is a language of errors.
type API struct {
	// Name is that of the folder of golden files.
	Name string
	// Path is an inference path.
	Path string
	// Unlisted is a path that the API's shape is told by, and is not served.
	Unlisted string
	// Header makes the shape of what has no path of its own; a name and a value.
	Header []string
}

// APIs are those that apps speak.
func APIs() []API {
	return []API{
		{Name: "openai", Path: "/v1/chat/completions", Unlisted: "/v1/images/generations"},
		{Name: "anthropic", Path: "/v1/messages", Unlisted: "/v1/messages/batches", Header: []string{"anthropic-version", "2023-06-01"}},
	}
}

// Backend is the TarsBackend that a case asks, by its path prefix.
type Backend string

// The TarsBackends of the cases. Each serves /<name>.
const (
	// Narrow allows gpt-4o-mini and claude-*, has the alias fast, and takes
	// bodies of 1 KiB.
	Narrow Backend = "narrow"
	// Free allows everything.
	Free Backend = "free"
	// Secured asks apps for a client key.
	Secured Backend = "secured"
	// Limited lets one request an hour pass; there is one for each API.
	Limited Backend = "limited"
	// Unprocessed has lost its external processor's policy.
	Unprocessed Backend = "unprocessed"
	// Empty has an endpoint without an address.
	Empty Backend = "empty"
	// Dead has one that refuses connections.
	Dead Backend = "dead"
	// BlackHole has one that never answers them.
	BlackHole Backend = "blackhole"
	// Hurried bounds an answer in time, by half a second.
	Hurried Backend = "hurried"
	// Impatient bounds a pause in it so.
	Impatient Backend = "impatient"
)

// Upstream is what TARS does with the request of a case.
type Upstream int

// What TARS may do.
const (
	// Answers is the normal case.
	Answers Upstream = iota
	// Resets ends the stream before an answer.
	Resets
	// IsSilent never answers.
	IsSilent
	// Bloats sends a list of models that is too large to narrow.
	Bloats
)

// BloatBytes is the length of the list of models of Bloats.
const BloatBytes = 5 << 20

// Case is one way to an error.
type Case struct {
	// Name begins with the status and the code.
	Name string
	// Backend and Upstream are the circumstances.
	Backend  Backend
	Upstream Upstream
	// Times is how often to ask; the last answer counts.
	Times int

	method, path, body string
	headers            []string
	head               string
	trailer            bool
	to                 target
}

// target is the path of a case.
type target int

const (
	inference target = iota // the API's inference path
	unlisted                // the API's unlisted path
	fixed                   // the case's own path
)

// Prefix is the path prefix of a case's TarsBackend.
func (c Case) Prefix(a API) string {
	if c.Backend == Limited {
		return "/" + string(Limited) + "-" + a.Name
	}
	return "/" + string(c.Backend)
}

// what is the method and the path of a case.
func (c Case) what(a API) (method, path string) {
	method = cmp.Or(c.method, "POST")
	switch c.to {
	case unlisted:
		return method, c.Prefix(a) + a.Unlisted
	case fixed:
		return method, c.Prefix(a) + c.path
	default:
		return method, c.Prefix(a) + a.Path
	}
}

const valid = `{"model":"claude-1"}`

// post is a case of a POST to the inference path.
func post(name string, b Backend, body string, headers ...string) Case {
	return Case{Name: name, Backend: b, body: body, headers: headers}
}

// Cases are all of them.
func Cases() []Case {
	return append(ofTheClient(), ofThePlatform()...)
}

// ofTheClient are errors that an app makes.
func ofTheClient() []Case {
	return []Case{
		post("400-invalid_json", Narrow, `{"model":`),
		post("400-missing_required_parameter", Narrow, `{}`),
		post("400-invalid_model", Narrow, `{"model":""}`),
		post("400-duplicate_parameter", Narrow, `{"model":"claude-1","Model":"gpt-5"}`),
		post("400-invalid_type", Narrow, `{"model":"claude-1","stream":"true"}`),
		post("400-unclear_models", Narrow, `{"model":"claude-1","fallbacks":[{"claude-1":["gpt-5"]}]}`),
		post("400-too_many_models", Narrow, `{"model":"claude-1","models":["claude-1"`+strings.Repeat(`,"claude-1"`, 64)+`]}`),
		{Name: "400-missing_body", Backend: Narrow, head: "content-type: application/json\r\n"},
		{Name: "400-trailers_not_supported", Backend: Narrow, body: valid, trailer: true},
		{Name: "400-upgrade_not_supported", Backend: Free, head: "connection: upgrade\r\nupgrade: websocket\r\n"},
		post("404-model_not_found", Narrow, `{"model":"gpt-5"}`),
		{Name: "404-model_not_found-to-show", Backend: Narrow, method: "GET", to: fixed, path: "/v1/models/gpt-5"},
		{Name: "404-unknown_url", Backend: Narrow, to: unlisted, body: valid},
		{Name: "405-method_not_allowed", Backend: Narrow, method: "PUT", body: valid},
		{Name: "405-method_not_allowed-on-models", Backend: Narrow, method: "DELETE", to: fixed, path: "/v1/models/claude-1"},
		post("413-request_too_large", Narrow, `{"model":"claude-1","x":"`+strings.Repeat("x", 1024)+`"}`),
		post("415-unsupported_media_type", Narrow, valid, "content-type", "text/plain"),
		post("415-unsupported_content_encoding", Narrow, valid, "content-encoding", "gzip"),
	}
}

// NotProcessed is the one case that the external processor does not see.
const NotProcessed = "503-request_not_processed"

// ofThePlatform are errors that an app can do nothing about.
func ofThePlatform() []Case {
	limited := post("429-rate_limit_exceeded", Limited, valid)
	limited.Times = 2
	bloated := Case{Name: "502-model_list_unreadable", Backend: Narrow, Upstream: Bloats, method: "GET", to: fixed, path: "/v1/models"}
	upstream := func(name string, b Backend, does Upstream) Case {
		c := post(name, b, valid)
		c.Upstream = does
		return c
	}
	return []Case{
		post("401-unauthorized", Secured, valid),
		limited,
		bloated,
		post(NotProcessed, Unprocessed, valid),
		post("503-no_healthy_upstream", Empty, valid),
		post("503-upstream_connect_error", Dead, valid),
		post("503-upstream_connect_timeout", BlackHole, valid),
		upstream("503-upstream_reset", Free, Resets),
		upstream("504-gateway_timeout", Hurried, IsSilent),
		upstream("504-gateway_timeout-idle", Impatient, IsSilent),
	}
}
