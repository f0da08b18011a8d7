// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// updateVariable, when it is set, has the golden files of errors written
// instead of compared with.
const updateVariable = "UPDATE_GOLDENS"

// api is a language of errors.
type api struct {
	name, path string
	// unlisted is a path that the API's shape is told by, and is not served.
	unlisted string
	// header makes the shape of what has no path of its own.
	header []string
}

func apis() []api {
	return []api{
		{name: "openai", path: chatPath, unlisted: "/v1/images/generations"},
		{name: "anthropic", path: "/v1/messages", unlisted: "/v1/messages/batches", header: []string{"anthropic-version", "2023-06-01"}},
	}
}

// errorCase is one way to an error of the platform; ask causes it.
type errorCase struct {
	name string
	ask  func(a api, id string) reply
}

// unprocessed is the case that the external processor does not see.
const unprocessed = "503-request_not_processed"

// asks is a POST below a prefix.
func asks(name, prefix, body string, headers ...string) errorCase {
	return errorCase{name, func(a api, id string) reply { return post(prefix+a.path, id, body, headers...) }}
}

const asked = `{"model":"claude-1"}`

func errorCases() []errorCase {
	return append(clientErrors(), platformErrors()...)
}

// clientErrors are those that an app makes.
func clientErrors() []errorCase {
	return []errorCase{
		asks("400-invalid_json", "/narrow", `{"model":`),
		asks("400-missing_required_parameter", "/narrow", `{}`),
		asks("400-invalid_model", "/narrow", `{"model":""}`),
		asks("400-duplicate_parameter", "/narrow", `{"model":"claude-1","Model":"gpt-5"}`),
		{"400-missing_body", func(a api, id string) reply {
			return rawly("POST /narrow%s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\n\r\n", a.path, id)
		}},
		{"400-trailers_not_supported", func(a api, id string) reply {
			req := request(id, "POST /narrow"+a.path, io.NopCloser(strings.NewReader(asked)))
			req.Trailer = http.Header{"X-Other": {"y"}}
			return overHTTP2(req)
		}},
		{"400-upgrade_not_supported", func(a api, id string) reply {
			return rawly("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", a.path, id)
		}},
		asks("404-model_not_found", "/narrow", `{"model":"gpt-5"}`),
		{"404-model_not_found-to-show", func(a api, id string) reply { return get("/narrow/v1/models/gpt-5", id, a.header...) }},
		{"404-unknown_url", func(a api, id string) reply { return post("/narrow"+a.unlisted, id, asked) }},
		{"405-method_not_allowed", func(a api, id string) reply {
			return send(request(id, "PUT /narrow"+a.path, strings.NewReader(asked)))
		}},
		{"405-method_not_allowed-on-models", func(a api, id string) reply {
			return send(request(id, "DELETE /narrow/v1/models/claude-1", nil, a.header...))
		}},
		asks("413-request_too_large", "/narrow", `{"model":"claude-1","x":"`+strings.Repeat("x", 1000)+`"}`),
		asks("415-unsupported_media_type", "/narrow", asked, "content-type", "text/plain"),
		asks("415-unsupported_content_encoding", "/narrow", asked, "content-encoding", "gzip"),
	}
}

// platformErrors are those that an app can do nothing about.
func platformErrors() []errorCase {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	return []errorCase{
		asks("401-unauthorized", "/secured", asked),
		{"429-rate_limit_exceeded", func(a api, id string) reply {
			var last reply
			for range 2 { // one an hour passes
				last = post("/limited-"+a.name+a.path, id, asked)
			}
			return last
		}},
		{"502-model_list_unreadable", func(a api, id string) reply {
			world.tls.answer(id, respond(http.StatusOK, "application/json", strings.Repeat(" ", 5<<20)))
			return get("/narrow/v1/models", id, a.header...)
		}},
		asks(unprocessed, "/unprocessed", asked),
		asks("503-no_healthy_upstream", "/empty", asked),
		asks("503-upstream_connect_error", "/dead", asked),
		{"503-upstream_reset", func(a api, id string) reply {
			world.tls.answer(id, resetStream)
			return post(a.path, id, asked)
		}},
		{"504-gateway_timeout", func(a api, id string) reply {
			world.tls.answer(id, silent)
			return post("/hurried"+a.path, id, asked)
		}},
		{"504-gateway_timeout-idle", func(a api, id string) reply {
			world.tls.answer(id, silent)
			return post("/impatient"+a.path, id, asked)
		}},
	}
}

// rawly sends what net/http would not.
func rawly(format string, args ...any) reply {
	GinkgoHelper()
	raw := dial()
	defer raw.close()
	raw.write(format, args...)
	return raw.response()
}

// seconds differ from run to run.
var seconds = regexp.MustCompile(`((x-ratelimit-reset|retry-after): )\d+`)

// golden is an answer without what is different each time.
func golden(r reply, id string) string {
	var lines []string
	for name, values := range r.header {
		switch name = strings.ToLower(name); name {
		case "date", "content-length":
		default:
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	text := fmt.Sprintf("%d\n%s\n\n%s\n", r.status, strings.Join(lines, "\n"), r.body)
	return seconds.ReplaceAllString(strings.ReplaceAll(text, id, "{id}"), "$1{seconds}")
}

func goldenPath(a api, name string) string {
	return filepath.Join("testdata", "errors", a.name, name+".txt")
}

var _ = Describe("An error of the platform", func() {
	for _, c := range errorCases() {
		for _, a := range apis() {
			It(fmt.Sprintf("%s is what %s's SDK expects, to the byte", c.name, a.name), func() {
				id := newID()
				got := golden(c.ask(a, id), id)
				path := goldenPath(a, c.name)
				if os.Getenv(updateVariable) != "" {
					Expect(os.MkdirAll(filepath.Dir(path), 0o750)).To(Succeed())
					Expect(os.WriteFile(path, []byte(got), 0o600)).To(Succeed())
				}
				want, err := os.ReadFile(path)
				Expect(err).NotTo(HaveOccurred())
				Expect(got).To(Equal(string(want)))
				if c.name != unprocessed {
					Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 0.0))
				}
			})
		}
	}

	It("has no golden file that nothing is compared with", func() {
		var want []string
		for _, c := range errorCases() {
			for _, a := range apis() {
				want = append(want, goldenPath(a, c.name))
			}
		}
		files, err := filepath.Glob(filepath.Join("testdata", "errors", "*", "*"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(ConsistOf(want))
	})

	It("is told when there is no memory left for a request", func() {
		v := startVictim("EXTPROC_MEMORY_LIMIT=2500000")
		for _, a := range apis() {
			first, second, id := dialTo(v.envoy), dialTo(v.envoy), newID()
			head := "POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n"
			piece := `{"model":"gpt","x":"` + strings.Repeat("x", 600_000)
			first.write(head+"%s", a.path, newID(), piece)
			Eventually(func() string { return strings.Join(v.metrics("tars_held_bytes "), "") }).WithTimeout(stepTimeout).WithPolling(poll).
				ShouldNot(Equal("tars_held_bytes 0"))
			second.write(head+"%s", a.path, id, piece)
			r := second.response()
			Expect([]any{r.status, r.header.Get("x-tarsbackend-error-source"), r.header.Get("retry-after")}).
				To(Equal([]any{http.StatusServiceUnavailable, "extproc", "1"}))
			Expect(r.body).To(ContainSubstring("as its memory allows"))
			Expect(strings.HasPrefix(r.body, `{"type":"error"`)).To(Equal(a.name == "anthropic"))
			first.close()
			second.close()
			Eventually(func() []string { return v.metrics("tars_held_bytes ") }).WithTimeout(stepTimeout).WithPolling(poll).
				Should(ConsistOf("tars_held_bytes 0"))
		}
	})
})
