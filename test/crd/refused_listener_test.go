// SPDX-License-Identifier: Apache-2.0

package crd

// Messages that more than one case expects.
const (
	notAGateway    = "a parentRef must name a Gateway: leave group and kind out, or set group gateway.networking.k8s.io and kind Gateway"
	sameGateway    = "parentRefs names the same Gateway twice: give each its own sectionName (the name of a listener), or remove one"
	somePorts      = "parentRefs to the same Gateway must all have a port or none: sectionName alone tells listeners apart"
	dotsInPath     = "pathPrefix must not contain //, /./ or /../: Envoy normalises them away, so they never match"
	charactersPath = "pathPrefix may hold only unescaped URL path characters (no %, ?, #, quote or space)"
	trailingSlash  = "pathPrefix must not end with /: write for example /llm"
	versionInPath  = "leave /v1 out of pathPrefix: the operator adds it, so /llm is served as /llm/v1"
	addressAsHost  = "hostnames must be DNS names, not IP addresses: leave hostnames out to answer on every address of the listener"
	nameMessage    = "metadata.name must begin with a letter and hold no '.': Services are named after it"
)

// rootField is how the API server names the object itself.
const rootField = "<nil>"

var listenerRefusals = []refusal{
	{"no parentRefs", `parentRefs: null`, "spec.parentRefs", "Required value"},
	{"empty parentRefs", `parentRefs: []`, "spec.parentRefs", "should have at least 1 items"},
	{"more than 8 parentRefs", `parentRefs: ` + listOf(9, `{name: g%d}`), "spec.parentRefs", "must have at most 8 items"},
	{"a parentRef without a name", `parentRefs: [{sectionName: http}]`, "spec.parentRefs[0].name", "Required value"},
	{"a Service as a parent", `parentRefs: [{group: "", kind: Service, name: g}]`, "spec.parentRefs", notAGateway},
	{"another kind of Gateway API", `parentRefs: [{kind: HTTPRoute, name: g}]`, "spec.parentRefs", notAGateway},
	{"another group's Gateway", `parentRefs: [{group: networking.example.com, name: g}]`, "spec.parentRefs", notAGateway},
	{"the same Gateway twice", `parentRefs: [{name: g}, {name: h}, {name: g}]`, "spec.parentRefs", sameGateway},
	{"the same Gateway of another namespace twice", `parentRefs: [{name: g, namespace: other}, {name: g, namespace: other}]`, "spec.parentRefs", sameGateway},
	{"the same listener twice", `parentRefs: [{name: g, sectionName: a}, {name: g, sectionName: a}]`, "spec.parentRefs", sameGateway},
	{"a Gateway and one of its listeners", `parentRefs: [{name: g}, {name: g, sectionName: a}]`, "spec.parentRefs", sameGateway},
	{"a listener and its Gateway", `parentRefs: [{name: g, sectionName: a}, {name: g}]`, "spec.parentRefs", sameGateway},
	{
		"listeners told apart by port alone, which the standard HTTPRoute refuses",
		`parentRefs: [{name: g, port: 80}, {name: g, port: 81}]`, "spec.parentRefs", sameGateway,
	},
	{
		"a port on one of two listeners, which the experimental HTTPRoute refuses",
		`parentRefs: [{name: g, sectionName: a, port: 80}, {name: g, sectionName: b}]`, "spec.parentRefs", somePorts,
	},

	{"more than 16 hostnames", `hostnames: ` + listOf(17, `h%d.example.com`), "spec.hostnames", "must have at most 16 items"},
	{"a hostname with a port", `hostnames: ["llm.example.com:80"]`, "spec.hostnames[0]", "should match"},
	{"an empty hostname", `hostnames: [""]`, "spec.hostnames[0]", "should be at least 1 chars long"},
	{"a hostname of 254 characters", `hostnames: [` + text(254) + `]`, "spec.hostnames[0]", "may not be more than 253 bytes"},
	{"an IP address as a hostname", `hostnames: [llm.example.com, 192.0.2.1]`, "spec.hostnames", addressAsHost},

	{"a path without a leading slash", `pathPrefix: llm`, "spec.pathPrefix", "pathPrefix must start with /: write for example /llm"},
	{"an empty path", `pathPrefix: ""`, "spec.pathPrefix", "pathPrefix must start with /: write for example /llm"},
	{"a path with a trailing slash", `pathPrefix: /llm/`, "spec.pathPrefix", trailingSlash},
	{"a path with a trailing slash after v1", `pathPrefix: /v1/`, "spec.pathPrefix", trailingSlash},
	{"a path with an empty segment", `pathPrefix: /a//b`, "spec.pathPrefix", dotsInPath},
	{"a path of two slashes", `pathPrefix: //`, "spec.pathPrefix", dotsInPath},
	{"a path that goes up", `pathPrefix: /a/../b`, "spec.pathPrefix", dotsInPath},
	{"a path that ends going up", `pathPrefix: /a/..`, "spec.pathPrefix", dotsInPath},
	{"a path that stays", `pathPrefix: /./a`, "spec.pathPrefix", dotsInPath},
	{"a path that ends staying", `pathPrefix: /a/.`, "spec.pathPrefix", dotsInPath},
	{"an escaped path", `pathPrefix: /a%2Fb`, "spec.pathPrefix", charactersPath},
	{"a path with a query", `pathPrefix: "/a?b=c"`, "spec.pathPrefix", charactersPath},
	{"a path with a fragment", `pathPrefix: "/a#b"`, "spec.pathPrefix", charactersPath},
	{"a path with a space", `pathPrefix: "/a b"`, "spec.pathPrefix", charactersPath},
	{"a path with a quote", `pathPrefix: "/a'b"`, "spec.pathPrefix", charactersPath},
	{"a path with a line break", `pathPrefix: "/a\nb"`, "spec.pathPrefix", charactersPath},
	{"a path beyond ASCII", `pathPrefix: /modèle`, "spec.pathPrefix", charactersPath},
	{"a path of 257 characters", `pathPrefix: /` + text(256), "spec.pathPrefix", "may not be more than 256 bytes"},
	{"the version as the path", `pathPrefix: /v1`, "spec.pathPrefix", versionInPath},
	{"the version at the end of the path", `pathPrefix: /llm/v1`, "spec.pathPrefix", versionInPath},
}
