// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/controllers/cli"
)

const minimal = `apiVersion: gateway.tars.dev/v1alpha1
kind: TarsBackend
metadata: {name: tars, namespace: team}
spec:
  parentRefs: [{name: eg}]
  credential: {secretRef: {name: key}}
`

// with adds lines to the spec of minimal.
func with(lines ...string) string { return minimal + "  " + strings.Join(lines, "\n  ") + "\n" }

// gateway is one of Envoy Gateway, with the fields of its one listener.
func gateway(listener string) string {
	return `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg, namespace: team}
spec: {gatewayClassName: eg, listeners: [{name: http, port: 80, protocol: HTTP` + listener + `}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: eg}
spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
`
}

func secret(value string) string {
	return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: team}\nstringData: {apiKey: " + strconv.Quote(value) + "}\n"
}

// checked is what one call printed.
type checked struct {
	stdout, stderr string
	err            error
}

// run checks the text on standard input.
func run(stdin string, args ...string) checked {
	var stdout, stderr bytes.Buffer
	err := Run(context.Background(), append([]string{"-f", "-"}, args...), Process{
		Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
	})
	return checked{stdout: stdout.String(), stderr: stderr.String(), err: err}
}

// reports are what was printed as JSON.
func (c checked) reports() []Result {
	GinkgoHelper()
	list := struct{ Items []Result }{}
	Expect(json.Unmarshal([]byte(c.stdout), &list)).To(Succeed(), c.stdout)
	return list.Items
}

// complaints of the one report.
func (c checked) complaints() []Complaint {
	GinkgoHelper()
	reports := c.reports()
	Expect(reports).To(HaveLen(1))
	return reports[0].Complaints
}

// mistake is a manifest with one mistake.
type mistake struct {
	// name and field are the complaint's.
	name, field string
	// text is what is checked, words are in the message.
	text, words string
}

var mistakes = []mistake{
	{"PathPrefixHasVersion", "spec.pathPrefix", with("pathPrefix: /v1/llm"), "/v1/llm/v1"},
	{"PathPrefixHasVersion", "spec.pathPrefix", with("pathPrefix: /llm/V1"), "Leave the version out"},
	{"HostnameNotServed", "spec.hostnames[1]", with("hostnames: [a.example.com, a.example.org]") + gateway(`, hostname: "*.example.com"`), `"a.example.org"`},
	{"ParentServesNothing", "spec.parentRefs", strings.Replace(minimal, "{name: eg}", "{name: eg, sectionName: https}", 1) + gateway(""), "http (HTTP, port 80)"},
	{"EndpointPortIsPlain", "spec.endpoint.port", with("endpoint: {port: 80}"), "TLS"},
	{"AllowsEverything", "spec.models.allow[1]", with(`models: {allow: [gpt-4o-mini, "*"]}`), "leave models.allow out"},
	{"AliasHidesModel", "spec.models.aliases[1].name", with(`models: {allow: [gpt-4o-mini], aliases: [{name: fast, model: a}, {name: gpt-4o-mini, model: b}]}`), `"b"`},
	{"AliasHidesModel", "spec.models.aliases[0].name", with(`models: {allow: ["claude-*"], aliases: [{name: claude-best, model: b}]}`), `"claude-*"`},
	{"UnknownModel", "spec.models", with("models: {allow: [gpt-9]}") + "status: {models: {available: 0, missing: [gpt-9]}}\n", "no model that fits gpt-9"},
	{"PolicyBypassed", "spec.unlistedPaths", with("unlistedPaths: Forward", "models: {allow: [a]}"), "set Deny"},
	{"RequestTimeoutCutsStreams", "spec.timeouts.request", with("timeouts: {request: 60s}"), "60s ends every answer"},
	{"RequestTimeoutCutsStreams", "spec.timeouts.request", with("timeouts: {request: 2m, streamIdle: 0s}"), "2m ends"},
	{"StreamIdleTooShort", "spec.timeouts.streamIdle", with("timeouts: {streamIdle: 30s}"), "first token"},
	{"DrainShorterThanRequest", "spec.extProc.drainTimeout", with("timeouts: {request: 30m}"), "10m0s"},
	{"BodyLargerThanMemory", "spec.requestBody.maxSize", with("requestBody: {maxSize: 128Mi}"), "256Mi"},
	{"OneReplica", "spec.extProc.replicas", with("extProc: {replicas: 1}"), "2 or more"},
	{"NoReplica", "spec.extProc.replicas", with("extProc: {replicas: 0}"), "503"},
	{"KeyHasSpace", "", minimal + secret("sk-canary-5f2b1c9e7d\n"), "apiKey of Secret team/key"},
	{"KeyIsQuoted", "", minimal + secret(`"sk-canary-5f2b1c9e7d"`), "without them"},
	{"KeyIsPlaceholder", "", minimal + secret("<sk-canary-5f2b1c9e7d>"), "put the TARS key there"},
	{"KeyIsPlaceholder", "", minimal + secret("ChangeMe"), "put the TARS key there"},
	{"KeyEncodedTwice", "", minimal + secret("c2stY2FuYXJ5LTVmMmIxYzllN2Q="), "base64 once"},
	{"KeyIsForManagement", "", minimal + secret("ak-canary-5f2b1c9e7d"), "sk-..."},
	// What the manager finds too, in its words.
	{"PlaceholderKey", "", minimal + secret("replace-with-your-TARS-key"), "sample's placeholder"},
	{"InvalidSecret", "", minimal + secret("sk-canary\n5f2b1c9e7d"), "more than one line"},
	{"EndpointNotAllowed", "", with("endpoint: {hostname: tars.example.com}"), "--allowed-endpoints"},
	{"NotEnvoyGateway", "", minimal + strings.Replace(gateway(""), "gateway.envoyproxy.io", "example.com", 1), "example.com"},
}

var _ = Describe("The lints", func() {
	for _, m := range mistakes {
		It("find exactly "+m.name+" in "+strings.TrimPrefix(m.text, minimal), func() {
			got := run(m.text, "-o", "json")
			Expect(got.err).To(MatchError("1 of 1 TarsBackends want attention"))
			complaints := got.complaints()
			Expect(complaints).To(HaveLen(1), got.stdout)
			Expect(complaints[0].Name).To(Equal(m.name))
			Expect(complaints[0].Field).To(Equal(m.field))
			Expect(complaints[0].Message).To(ContainSubstring(m.words))
			Expect(got.stdout).NotTo(ContainSubstring("5f2b1c9e7d"), "the key is printed")
		})
	}

	DescribeTable("find nothing", func(text string) {
		got := run(text)
		Expect(got.err).NotTo(HaveOccurred())
		Expect(got.stdout).To(HavePrefix("team/tars: no complaint\n"))
	},
		Entry("in a TarsBackend alone", minimal),
		Entry("with all that it names", minimal+gateway("")+secret("sk-canary-5f2b1c9e7d")),
		Entry("in hostnames that a Gateway not among the files may serve", with("hostnames: [a.example.org]")),
		Entry("in hostnames that one of two parents serves",
			strings.Replace(with("hostnames: [a.example.com]"), "{name: eg}", "{name: eg}, {name: other}", 1)+gateway(`, hostname: "*.example.com"`)),
		Entry("in an alias beside the allow-list", with(`models: {allow: [a, "claude-*"], aliases: [{name: fast, model: b}]}`)),
		Entry("in timeouts above what a stream needs", with("timeouts: {request: 30m, streamIdle: 5m}", "extProc: {drainTimeout: 30m}")),
		Entry("in no bound in time at all", with("timeouts: {request: 0s, streamIdle: 0s}")),
		Entry("in a large body with memory for it", with("requestBody: {maxSize: 128Mi}", "extProc: {resources: {limits: {memory: 512Mi}}}")),
		Entry("in unlisted paths without an allow-list", with("unlistedPaths: Forward")),
		Entry("in a path that only looks like a version", with("pathPrefix: /v11/llmv1")),
	)

	It("are all in docs/cli.md", func() {
		documented, err := os.ReadFile("../../docs/cli.md")
		Expect(err).NotTo(HaveOccurred())
		for _, name := range lintNames() {
			Expect(string(documented)).To(ContainSubstring("| `" + name + "` |"))
		}
	})

	It("all have a mistake that they find", func() {
		var found []string
		for _, m := range mistakes {
			found = append(found, m.name)
		}
		for _, name := range lintNames() {
			Expect(found).To(ContainElement(name))
		}
	})
})

// lintNames are the names that the source gives complaints.
func lintNames() []string {
	GinkgoHelper()
	var found []string
	for _, file := range []string{"lint.go", "lint_key.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		Expect(err).NotTo(HaveOccurred())
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "complain" && name.Name != "say" {
				return true
			}
			name, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
			Expect(err).NotTo(HaveOccurred())
			found = append(found, name)
			return true
		})
	}
	Expect(len(found)).To(BeNumerically(">=", 15))
	return found
}

var _ = Describe("check of files", func() {
	It("reports on each of several TarsBackends, or on the named one", func() {
		text := minimal + "---\n" + strings.Replace(with("extProc: {replicas: 1}"), "name: tars", "name: other", 1)
		got := run(text)
		Expect(got.err).To(MatchError("1 of 2 TarsBackends want attention"))
		Expect(got.stdout).To(And(ContainSubstring("team/tars: no complaint\n"), ContainSubstring("team/other: 1 complaint\n")))
		Expect(got.stdout).To(ContainSubstring("  complaint  spec.extProc.replicas: OneReplica: "))
		one := run(text, "tars", "-o=json")
		Expect(one.err).NotTo(HaveOccurred())
		Expect(one.reports()).To(HaveLen(1))
		Expect(run(text, "none").err).To(MatchError(ContainSubstring("no TarsBackend none")))
	})

	It("says what it did not see, which is no complaint", func() {
		got := run(minimal)
		Expect(got.stdout).To(And(ContainSubstring("  unseen     Secret team/key is not in the files"), ContainSubstring("  unseen     Gateway team/eg is not in the files")))
	})

	It("finds the younger of two in one place", func() {
		got := run(minimal+gateway("")+"---\n"+strings.Replace(minimal, "{name: tars", "{name: uncle, uid: a", 1), "-o=json")
		Expect(got.reports()[0].Complaints).To(BeEmpty())
		Expect(got.reports()[1].Complaints).To(ConsistOf(HaveField("Name", "Conflicted")))
	})

	It("fails for what the API server refuses", func() {
		got := run(with("pathPrefix: /llm/v1"))
		Expect(got.err).To(MatchError(ContainSubstring("leave /v1 out of pathPrefix")))
		Expect(got.stdout).To(BeEmpty())
	})

	DescribeTable("is called wrongly", func(words string, args ...string) {
		got := run(minimal, args...)
		Expect(got.err).To(MatchError(cli.ErrUsage))
		Expect(got.err).To(MatchError(ContainSubstring(words)))
	},
		Entry("with two names", "one name", "a", "b"),
		Entry("with a format that there is not", "-o", "-o=yaml"),
		Entry("with all namespaces of files", "-f looks at files", "-A"),
		Entry("with all and one namespace", "-A looks at all", "-A", "-n=a"),
		Entry("with all and one object", "-A looks at all", "-A", "a"),
		Entry("with a context for files", "-f looks at files", "--context=a"),
		Entry("with an endpoint that is none", "--allowed-endpoints", "--allowed-endpoints=*"),
	)
})
