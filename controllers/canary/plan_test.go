// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

const (
	configHash = "0123456789abcdef"
	routeHash  = "fedcba9876543210"
)

func aListener(name string, protocol gatewayv1.ProtocolType, port int32, hostname gatewayv1.Hostname) gatewayv1.Listener {
	l := gatewayv1.Listener{
		Name: gatewayv1.SectionName(name), Protocol: protocol, Port: port,
		AllowedRoutes: &gatewayv1.AllowedRoutes{
			Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)},
		},
	}
	if hostname != "" {
		l.Hostname = &hostname
	}
	return l
}

func aParent(name string, listeners ...gatewayv1.Listener) conditions.Parent {
	return conditions.Parent{
		Ref: gatewayv1.ParentReference{
			Namespace: new(gatewayv1.Namespace("infra")), Name: gatewayv1.ObjectName(name),
		},
		Gateway: &gatewayv1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: name},
			Spec:       gatewayv1.GatewaySpec{GatewayClassName: "eg", Listeners: listeners},
		},
		ControllerName: "gateway.envoyproxy.io/gatewayclass-controller",
		Controlled:     true,
	}
}

func aService(name string, labels map[string]string, ports ...corev1.ServicePort) corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "eg", Name: name, Labels: labels},
		Spec:       corev1.ServiceSpec{Ports: ports},
	}
}

func owned(gateway string) map[string]string {
	return map[string]string{LabelOwningGatewayNamespace: "infra", LabelOwningGatewayName: gateway}
}

func aSlice(service string, port int32, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
	return discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "eg", Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("http-80"), Port: &port, Protocol: new(corev1.ProtocolTCP)}},
		Endpoints:   endpoints,
	}
}

func anEndpoint(pod, address string) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses:  []string{address},
		Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "eg", Name: pod},
	}
}

// anInput leads to one target: Envoy eg/e1 at 192.0.2.1:10080.
func anInput() *PlanInput {
	return &PlanInput{
		Backend:        &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars"}},
		Parents:        []conditions.Parent{aParent("public", aListener("http", gatewayv1.HTTPProtocolType, 80, ""))},
		Services:       []corev1.Service{aService("envoy", owned("public"), corev1.ServicePort{Name: "http-80", Port: 80})},
		EndpointSlices: []discoveryv1.EndpointSlice{aSlice("envoy", 10080, anEndpoint("e1", "192.0.2.1"))},
		Path:           "/v1/canary",
		ConfigHash:     configHash,
		RouteHash:      routeHash,
		Replicas:       2,
	}
}

func addressesOf(p Plan) []string {
	found := []string{}
	for _, t := range p.Targets {
		found = append(found, t.Listener+" "+t.Address)
	}
	return found
}

var _ = Describe("a plan", func() {
	It("asks the ready Envoy of the listener at its resolved port", func() {
		Expect(NewPlan(*anInput())).To(Equal(Plan{
			Targets: []Target{{
				Gateway: "infra/public", Listener: "http", Envoy: "eg/e1",
				Address: "192.0.2.1:10080", Host: "tarsbackend-canary.invalid", Upstream: true,
			}},
			Path: "/v1/canary", ConfigHash: configHash, RouteHash: routeHash, Agreement: 36,
		}))
	})

	DescribeTable("asks the Service in front of the Envoys too, by its address in the cluster", func(change func(*corev1.Service), want string) {
		in := anInput()
		in.Services[0].Spec.ClusterIP = "198.51.100.7"
		change(&in.Services[0])
		targets := NewPlan(*in).Targets
		if want == "" {
			Expect(targets).To(HaveLen(1))
			return
		}
		Expect(targets).To(Equal([]Target{
			{Gateway: "infra/public", Listener: "http", Service: "eg/envoy", Address: want, Host: "tarsbackend-canary.invalid"},
			{Gateway: "infra/public", Listener: "http", Envoy: "eg/e1", Address: "192.0.2.1:10080", Host: "tarsbackend-canary.invalid", Upstream: true},
		}))
	},
		Entry("at the listener's port", func(*corev1.Service) {}, "198.51.100.7:80"),
		Entry("of either family", func(s *corev1.Service) { s.Spec.ClusterIP = "2001:db8::7" }, "[2001:db8::7]:80"),
		Entry("where the traffic may cross nodes", func(s *corev1.Service) {
			s.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyCluster)
		}, "198.51.100.7:80"),
		Entry("but not where it stays on a node, on which no Envoy may be", func(s *corev1.Service) {
			s.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyLocal)
		}, ""),
		Entry("but not a headless one", func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone }, ""),
		Entry("but not one that only names a host", func(s *corev1.Service) { s.Spec.ClusterIP = "" }, ""),
	)

	It("asks no Service without a ready Envoy", func() {
		in := anInput()
		in.Services[0].Spec.ClusterIP = "198.51.100.7"
		in.EndpointSlices = nil
		Expect(NewPlan(*in).Targets).To(BeEmpty())
	})

	DescribeTable("finds Envoys", func(change func(*PlanInput), want ...string) {
		in := anInput()
		change(in)
		p := NewPlan(*in)
		Expect(addressesOf(p)).To(Equal(append([]string{}, want...)))
		Expect(len(p.Missing) + len(p.NotPossible)).To(Equal(map[bool]int{true: 0, false: 1}[len(want) > 0]))
	},
		Entry("of every slice of the Service, sorted", func(in *PlanInput) {
			in.EndpointSlices = append(in.EndpointSlices, aSlice("envoy", 10081, anEndpoint("e0", "192.0.2.2")))
		}, "http 192.0.2.2:10081", "http 192.0.2.1:10080"),
		Entry("but not of another Service", func(in *PlanInput) {
			in.EndpointSlices[0].Labels[discoveryv1.LabelServiceName] = "other"
		}),
		Entry("but not of another namespace's Service of the same name", func(in *PlanInput) {
			in.EndpointSlices[0].Namespace = "other"
		}),
		Entry("but none that is not ready", func(in *PlanInput) {
			in.EndpointSlices[0].Endpoints[0].Conditions.Ready = new(false)
		}),
		Entry("where readiness is not told, which means ready", func(in *PlanInput) {
			in.EndpointSlices[0].Endpoints[0].Conditions.Ready = nil
		}, "http 192.0.2.1:10080"),
		Entry("but none without an address", func(in *PlanInput) { in.EndpointSlices[0].Endpoints[0].Addresses = nil }),
		Entry("but none whose address is a name", func(in *PlanInput) {
			in.EndpointSlices[0].Endpoints[0].Addresses = []string{"example.com"}
		}),
		Entry("but none at a port of another name", func(in *PlanInput) {
			in.EndpointSlices[0].Ports[0].Name = new("https-443")
		}),
		Entry("but none at a port without a number", func(in *PlanInput) { in.EndpointSlices[0].Ports[0].Port = nil }),
		Entry("but none at a port out of range", func(in *PlanInput) { in.EndpointSlices[0].Ports[0].Port = new(int32(65536)) }),
		Entry("but none at a UDP port", func(in *PlanInput) {
			in.EndpointSlices[0].Ports[0].Protocol = new(corev1.ProtocolUDP)
		}),
		Entry("at a port without a name", func(in *PlanInput) {
			in.Services[0].Spec.Ports[0].Name = ""
			in.EndpointSlices[0].Ports[0].Name = nil
		}, "http 192.0.2.1:10080"),
		Entry("but not behind a UDP port of the Service", func(in *PlanInput) {
			in.Services[0].Spec.Ports[0].Protocol = corev1.ProtocolUDP
		}),
		Entry("but not behind a Service without the listener's port", func(in *PlanInput) {
			in.Services[0].Spec.Ports[0].Port = 81
		}),
		Entry("once each, at IPv4, in a cluster of two families", func(in *PlanInput) {
			six := aSlice("envoy", 10080, anEndpoint("e1", "2001:db8::1"))
			six.AddressType = discoveryv1.AddressTypeIPv6
			in.EndpointSlices = append([]discoveryv1.EndpointSlice{six}, in.EndpointSlices...)
		}, "http 192.0.2.1:10080"),
		Entry("in a cluster of IPv6 alone", func(in *PlanInput) {
			in.EndpointSlices[0].Endpoints[0].Addresses = []string{"2001:db8::1"}
		}, "http [2001:db8::1]:10080"),
		Entry("that a class shares between its Gateways", func(in *PlanInput) {
			in.Services[0].Labels = map[string]string{LabelOwningGatewayClass: "eg"}
		}, "http 192.0.2.1:10080"),
		Entry("but not those of another class", func(in *PlanInput) {
			in.Services[0].Labels = map[string]string{LabelOwningGatewayClass: "other"}
		}),
		Entry("but not those of another Gateway of the class", func(in *PlanInput) {
			in.Services[0].Labels = owned("private")
			in.Services[0].Labels[LabelOwningGatewayClass] = "eg"
		}),
		Entry("but not those of a Gateway of the same name in another namespace", func(in *PlanInput) {
			in.Services[0].Labels[LabelOwningGatewayNamespace] = "other"
		}),
		Entry("of the Gateway's own before those of its class", func(in *PlanInput) {
			in.Services = append(in.Services, aService("shared", map[string]string{LabelOwningGatewayClass: "eg"},
				corev1.ServicePort{Name: "http-80", Port: 80}))
			in.EndpointSlices = append(in.EndpointSlices, aSlice("shared", 10080, anEndpoint("s", "192.0.2.9")))
		}, "http 192.0.2.1:10080"),
		Entry("at an HTTPS listener", func(in *PlanInput) {
			in.Parents[0].Gateway.Spec.Listeners[0].Protocol = gatewayv1.HTTPSProtocolType
		}, "http 192.0.2.1:10080"),
		Entry("but not at a listener that does not take the route", func(in *PlanInput) {
			in.Parents[0].Gateway.Spec.Listeners[0].AllowedRoutes = nil
		}),
		Entry("at the listener that the parentRef names", func(in *PlanInput) {
			in.Parents[0].Gateway.Spec.Listeners = append(in.Parents[0].Gateway.Spec.Listeners,
				aListener("other", gatewayv1.HTTPProtocolType, 81, ""))
			in.Parents[0].Ref.SectionName = new(gatewayv1.SectionName("http"))
		}, "http 192.0.2.1:10080"),
		Entry("once for two parentRefs to the same listener", func(in *PlanInput) {
			in.Parents = append(in.Parents, in.Parents[0])
		}, "http 192.0.2.1:10080"),
	)

	DescribeTable("says in words what is not found", func(change func(*PlanInput), notPossible, missing string) {
		in := anInput()
		change(in)
		p := NewPlan(*in)
		Expect(p.Targets).To(BeEmpty())
		for _, w := range []struct {
			got  []string
			want string
		}{{p.NotPossible, notPossible}, {p.Missing, missing}} {
			if w.want == "" {
				Expect(w.got).To(BeEmpty())
				continue
			}
			Expect(w.got).To(ConsistOf(ContainSubstring(w.want)))
		}
	},
		Entry("without a Service", func(in *PlanInput) { in.Services = nil }, "no Service carries Envoy Gateway's labels", ""),
		Entry("without the port", func(in *PlanInput) { in.Services[0].Spec.Ports = nil }, "", "no Service of its Envoys has port 80"),
		Entry("without an Envoy", func(in *PlanInput) { in.EndpointSlices = nil }, "", "listener http of Gateway infra/public has no ready Envoy"),
		Entry("without a listener", func(in *PlanInput) { in.Parents[0].Gateway.Spec.Listeners = nil }, "",
			"Gateway infra/public has no listener that takes the route"),
		Entry("once for two parentRefs", func(in *PlanInput) {
			in.EndpointSlices = nil
			in.Parents = append(in.Parents, in.Parents[0])
		}, "", "no ready Envoy"),
	)
	It("leaves out Gateways that are missing or not ours", func() {
		in := anInput()
		in.Parents[0].Gateway = nil
		in.Parents = append(in.Parents, aParent("private"))
		in.Parents[1].Controlled = false
		p := NewPlan(*in)
		Expect(append(append([]string{}, p.Missing...), p.NotPossible...)).To(BeEmpty())
		Expect(p.Targets).To(BeEmpty())
	})

	DescribeTable("asks for a host that leads to the route", func(listener gatewayv1.Hostname, route []gatewayv1.Hostname, want string) {
		in := anInput()
		in.Parents[0].Gateway.Spec.Listeners[0] = aListener("http", gatewayv1.HTTPProtocolType, 80, listener)
		in.Backend.Spec.Hostnames = route
		Expect(NewPlan(*in).Targets[0].Host).To(Equal(want))
	},
		Entry("the listener's", gatewayv1.Hostname("llm.example.com"), nil, "llm.example.com"),
		Entry("below the listener's wildcard", gatewayv1.Hostname("*.example.com"), nil, "tarsbackend-canary.example.com"),
		Entry("the first of the spec that is no pattern", gatewayv1.Hostname(""),
			[]gatewayv1.Hostname{"*.example.com", "b.example.org", "a.example.org"}, "a.example.org"),
		Entry("below the wildcard of the spec", gatewayv1.Hostname(""), []gatewayv1.Hostname{"*.example.com"}, "tarsbackend-canary.example.com"),
	)

	It("speaks TLS to an HTTPS listener, and asks TARS once through each Envoy, by plain HTTP where it can", func() {
		in := anInput()
		in.Parents[0].Gateway.Spec.Listeners = []gatewayv1.Listener{
			aListener("a-https", gatewayv1.HTTPSProtocolType, 443, ""), aListener("b-http", gatewayv1.HTTPProtocolType, 80, ""),
			aListener("c-http", gatewayv1.HTTPProtocolType, 81, ""),
		}
		in.Services[0].Spec.ClusterIP = "198.51.100.7"
		for _, port := range []int32{443, 81} {
			in.Services[0].Spec.Ports = append(in.Services[0].Spec.Ports, corev1.ServicePort{Name: "http-80", Port: port})
		}
		found := map[string][2]bool{}
		for _, t := range NewPlan(*in).Targets {
			found[t.Listener+" "+t.Envoy+t.Service] = [2]bool{t.TLS, t.Upstream}
		}
		Expect(found).To(Equal(map[string][2]bool{
			"a-https eg/envoy": {true, false}, "b-http eg/envoy": {false, false}, "c-http eg/envoy": {false, false},
			"a-https eg/e1": {true, false}, "b-http eg/e1": {false, true}, "c-http eg/e1": {false, false},
		}))
	})

	DescribeTable("asks for answers in a row", func(replicas int32, want int) {
		in := anInput()
		in.Replicas = replicas
		Expect(NewPlan(*in).Agreement).To(Equal(want))
	},
		Entry("twelve for each replica and one that should not be there any more", int32(4), 60),
		Entry("for one replica at least", int32(0), 24),
		Entry("with a bound", int32(9), 120),
		Entry("with the same bound for more", int32(500), 120),
	)

	It("differs from another in any of its parts", func() {
		base := func() Plan {
			p := NewPlan(*anInput())
			p.Missing, p.NotPossible = []string{"a"}, []string{"b"}
			return p
		}
		Expect(base().equal(base())).To(BeTrue())
		for _, change := range []func(*Plan){
			func(p *Plan) { p.Path = "x" }, func(p *Plan) { p.ConfigHash = "x" }, func(p *Plan) { p.RouteHash = "x" },
			func(p *Plan) { p.Agreement++ }, func(p *Plan) { p.Targets[0].Envoy = "x" }, func(p *Plan) { p.Targets[0].Service = "x" },
			func(p *Plan) { p.Targets[0].TLS = true }, func(p *Plan) { p.Upstream.Identity = "x" }, func(p *Plan) { p.Upstream.Interval++ },
			func(p *Plan) { p.Missing[0] = "x" }, func(p *Plan) { p.NotPossible[0] = "x" },
		} {
			p := base()
			p.Targets = slices.Clone(p.Targets)
			change(&p)
			Expect(p.equal(base())).To(BeFalse())
		}
	})
})
