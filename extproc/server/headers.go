// SPDX-License-Identifier: Apache-2.0

package server

import (
	"mime"
	"slices"
	"strings"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// header is a name and a value.
type header = wire.Header

// headers are those of a request or an answer. Envoy writes their names in
// lower case.
type headers struct {
	list []header
}

func newHeaders(list []header) headers { return headers{list: list} }

// get returns the first value of a header, empty without one.
func (h headers) get(name string) string {
	for _, v := range h.list {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

func (h headers) has(name string) bool { return len(h.all(name)) > 0 }

// all returns every value of a header.
func (h headers) all(name string) []string {
	var values []string
	for _, v := range h.list {
		if v.Name == name {
			values = append(values, v.Value)
		}
	}
	return values
}

// ours returns the names of our internal headers among them, as texts of their own.
func (h headers) ours() []string {
	var names []string
	for _, v := range h.list {
		if strings.HasPrefix(v.Name, config.HeaderPrefix) {
			names = append(names, strings.Clone(v.Name))
		}
	}
	return names
}

// oursSize is what those names take, in bytes.
func (h headers) oursSize() int64 {
	size := 0
	for _, v := range h.list {
		if strings.HasPrefix(v.Name, config.HeaderPrefix) {
			size += len(v.Name)
		}
	}
	return int64(size)
}

// named returns those of the names that are among them.
func (h headers) named(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !h.has(name) })
}

// forCanaries returns the name of the header that the route puts on every answer,
// where it is among them: nobody but the canary needs it.
func (h headers) forCanaries() []string {
	if !h.has(config.HeaderRouteHash) {
		return nil
	}
	return []string{config.HeaderRouteHash}
}

// encoding is the content encoding, empty when the body is as it is.
func (h headers) encoding() string {
	for _, v := range h.all("content-encoding") {
		if v = strings.TrimSpace(v); v != "" && !strings.EqualFold(v, "identity") {
			return v
		}
	}
	return ""
}

// isJSON tells whether a content type is JSON in UTF-8.
func isJSON(contentType string) bool {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || (kind != "application/json" && !strings.HasSuffix(kind, "+json")) {
		return false
	}
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// isEventStream tells whether a content type is that of server-sent events.
func isEventStream(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}
