// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

func listeners(ls ...gatewayv1.Listener) func(*Observation) {
	return func(o *Observation) { o.gateway().Spec.Listeners = ls }
}

func both(changes ...func(*Observation)) func(*Observation) {
	return func(o *Observation) {
		for _, change := range changes {
			change(o)
		}
	}
}

func hostnames(names ...gatewayv1.Hostname) func(*Observation) {
	return func(o *Observation) { o.Backend.Spec.Hostnames = names }
}

func ref(change func(*gatewayv1.ParentReference)) func(*Observation) {
	return func(o *Observation) { change(&o.Parents[0].Ref) }
}

// allowing changes the first listener's allowedRoutes.
func allowing(namespaces *gatewayv1.RouteNamespaces, kinds ...gatewayv1.RouteGroupKind) func(*Observation) {
	return func(o *Observation) {
		o.gateway().Spec.Listeners[0].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: namespaces, Kinds: kinds}
	}
}

func from(f gatewayv1.FromNamespaces) *gatewayv1.RouteNamespaces {
	return &gatewayv1.RouteNamespaces{From: &f}
}

// supporting writes the listener's status, as Envoy Gateway does.
func supporting(listener, kind string, programmed metav1.ConditionStatus) func(*Observation) {
	return func(o *Observation) {
		o.gateway().Status.Listeners = []gatewayv1.ListenerStatus{{
			Name:           gatewayv1.SectionName(listener),
			SupportedKinds: []gatewayv1.RouteGroupKind{{Group: new(gatewayv1.Group(gatewayv1.GroupName)), Kind: gatewayv1.Kind(kind)}},
			Conditions:     []metav1.Condition{observed(cond("Programmed", programmed, "x", ""), o.gateway().Generation)},
		}}
	}
}

const (
	http  = gatewayv1.HTTPProtocolType
	https = gatewayv1.HTTPSProtocolType
	tls   = gatewayv1.TLSProtocolType
)

var _ = DescribeTable("OpenAI URLs", func(change func(*Observation), want ...string) {
	o := good()
	change(o)
	urls := URLs(*o)
	var openAI, anthropic []string
	for i, u := range urls {
		if u.API == v1alpha1.APIOpenAI {
			Expect(i).To(Equal(len(openAI)), "OpenAI comes first")
			openAI = append(openAI, u.URL)
			continue
		}
		Expect(u.API).To(Equal(v1alpha1.APIAnthropic))
		anthropic = append(anthropic, u.URL+"/v1")
	}
	Expect(openAI).To(HaveExactElements(want))
	Expect(anthropic).To(Equal(openAI), "the same without /v1")
},
	Entry("have the Gateway's address where nobody names a host", func(*Observation) {}, "http://192.0.2.7/v1"),
	Entry("have every address, IPv6 in brackets", func(o *Observation) {
		o.gateway().Status.Addresses = []gatewayv1.GatewayStatusAddress{{Value: "2001:db8::1"}, {Value: "lb.example.com"}, {Value: ""}}
	}, "http://[2001:db8::1]/v1", "http://lb.example.com/v1"),
	Entry("have the path prefix", func(o *Observation) { o.Backend.Spec.PathPrefix = "/llm" }, "http://192.0.2.7/llm/v1"),
	Entry("have a port that is not the default", listeners(aListener("a", http, 8080, "")), "http://192.0.2.7:8080/v1"),
	Entry("have port 443 of an HTTP listener", listeners(aListener("a", http, 443, "")), "http://192.0.2.7:443/v1"),
	Entry("leave out 443 of an HTTPS listener", listeners(aListener("a", https, 443, "")), "https://192.0.2.7/v1"),
	Entry("have port 80 of an HTTPS listener", listeners(aListener("a", https, 80, "")), "https://192.0.2.7:80/v1"),
	Entry("put https before http", listeners(aListener("a", http, 80, ""), aListener("b", https, 443, "")),
		"https://192.0.2.7/v1", "http://192.0.2.7/v1"),
	Entry("have the listener's host", listeners(aListener("a", http, 80, "llm.example.com")), "http://llm.example.com/v1"),
	Entry("have the hosts of the spec, sorted", hostnames("b.example.com", "a.example.com"),
		"http://a.example.com/v1", "http://b.example.com/v1"),
	Entry("have a host of the spec below the listener's wildcard",
		both(listeners(aListener("a", http, 80, "*.example.com")), hostnames("x.y.example.com", "example.com", "other.org")),
		"http://x.y.example.com/v1"),
	Entry("have the listener's host below the wildcard of the spec",
		both(listeners(aListener("a", http, 80, "x.example.com")), hostnames("*.example.com")), "http://x.example.com/v1"),
	Entry("are none for wildcards alone", both(listeners(aListener("a", http, 80, "*.example.com")), hostnames("*.com"))),
	Entry("are none without hosts in common", both(listeners(aListener("a", http, 80, "a.example.com")), hostnames("b.example.com"))),
	Entry("have each URL once for two listeners of one port",
		both(listeners(aListener("a", http, 80, ""), aListener("b", http, 80, "*.example.com")), hostnames("a.example.com")),
		"http://a.example.com/v1"),
	Entry("leave a host to the listener of the same port that names it",
		both(listeners(aListener("a", http, 80, ""), aListener("b", http, 80, "a.example.com")),
			hostnames("a.example.com", "b.example.com"), ref(func(r *gatewayv1.ParentReference) { r.SectionName = new(gatewayv1.SectionName("a")) })),
		"http://b.example.com/v1"),
	Entry("keep a host that a listener of another port names",
		both(listeners(aListener("a", http, 80, ""), aListener("b", https, 443, "a.example.com")), hostnames("a.example.com")),
		"https://a.example.com/v1", "http://a.example.com/v1"),
	Entry("only have listeners of the section",
		both(listeners(aListener("a", http, 80, ""), aListener("b", http, 81, "")),
			ref(func(r *gatewayv1.ParentReference) { r.SectionName = new(gatewayv1.SectionName("b")) })), "http://192.0.2.7:81/v1"),
	Entry("only have listeners of the port",
		both(listeners(aListener("a", http, 80, ""), aListener("b", http, 81, "")),
			ref(func(r *gatewayv1.ParentReference) { r.Port = new(gatewayv1.PortNumber(80)) })), "http://192.0.2.7/v1"),
	Entry("are none for a Gateway that does not exist", func(o *Observation) { o.Parents[0].Gateway = nil }),
	Entry("are none for a Gateway of another controller", func(o *Observation) { o.Parents[0].Controlled = false }),
	Entry("are none where only the Gateway's namespace is allowed", allowing(from(gatewayv1.NamespacesFromSame))),
	Entry("are none where allowedRoutes says nothing, which means the same", allowing(nil)),
	Entry("are some in the Gateway's namespace", both(allowing(nil), func(o *Observation) { o.Backend.Namespace = "infra" }),
		"http://192.0.2.7/v1"),
	Entry("are none where no namespace is allowed", allowing(from("None"))),
	Entry("are some where our namespace is selected", both(selecting("llm"), func(o *Observation) {
		o.NamespaceLabels = map[string]string{"llm": "yes"}
	}), "http://192.0.2.7/v1"),
	Entry("are none where our namespace is not selected", selecting("llm")),
	Entry("are some where our namespace's labels are not known", both(selecting("llm"), func(o *Observation) {
		o.NamespaceLabels = nil
	}), "http://192.0.2.7/v1"),
	Entry("are none where a selector is not valid", both(selecting("in valid"), func(o *Observation) {
		o.NamespaceLabels = map[string]string{"in valid": "yes"}
	})),
	Entry("are none where only other kinds are allowed", allowing(from(gatewayv1.NamespacesFromAll), gatewayv1.RouteGroupKind{Kind: "GRPCRoute"})),
	Entry("are none where a kind of another group is allowed", allowing(from(gatewayv1.NamespacesFromAll),
		gatewayv1.RouteGroupKind{Group: new(gatewayv1.Group("example.com")), Kind: "HTTPRoute"})),
	Entry("are some where HTTPRoute is among the kinds", allowing(from(gatewayv1.NamespacesFromAll),
		gatewayv1.RouteGroupKind{Kind: "GRPCRoute"}, gatewayv1.RouteGroupKind{Kind: "HTTPRoute"}), "http://192.0.2.7/v1"),
	Entry("are none for a TCP listener", listeners(aListener("a", gatewayv1.TCPProtocolType, 80, ""))),
	Entry("are none for a TLS listener that takes no HTTPRoutes", both(listeners(aListener("a", tls, 443, "")),
		supporting("a", "TLSRoute", isTrue))),
	Entry("are https for a TLS listener that takes HTTPRoutes", both(listeners(aListener("a", tls, 443, "")),
		supporting("a", "HTTPRoute", isTrue)), "https://192.0.2.7/v1"),
	Entry("are none for a listener that does not work", both(listeners(aListener("a", http, 80, "")), supporting("a", "HTTPRoute", isFalse))),
	Entry("are some for a listener that did not work before it changed", both(listeners(aListener("a", http, 80, "")),
		supporting("a", "HTTPRoute", isFalse), func(o *Observation) { o.gateway().Generation++ }), "http://192.0.2.7/v1"),
)

func selecting(label string) func(*Observation) {
	n := from(gatewayv1.NamespacesFromSelector)
	n.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{label: "yes"}}
	return allowing(n)
}

var _ = Describe("URLs", func() {
	It("are no more than the CRD takes, and come from every parent", func() {
		o := good()
		o.Parents = append(o.Parents, Parent{
			Ref: aRef("infra", "second"), Gateway: aGateway("infra", "second"), ControllerName: envoyGateway, Controlled: true,
		})
		for i := range 40 {
			o.Parents[1].Gateway.Spec.Listeners = append(o.Parents[1].Gateway.Spec.Listeners,
				aListener(fmt.Sprint("l", i), https, 443, fmt.Sprintf("h%02d.example.com", i)))
		}
		urls := URLs(*o)
		Expect(urls).To(HaveLen(64))
		Expect(urls[0].URL).To(Equal("https://h00.example.com/v1"))
		Expect(urls[63].URL).To(Equal("https://h31.example.com"))
	})
})
