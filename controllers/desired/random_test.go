// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/randfill"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// randomSpecs is how many random specs are tried, each from its own seed.
const randomSpecs = 500

var _ = Describe("Build of a random spec", func() {
	It("gives the same objects twice, and keeps what must hold for every one", func() {
		built := 0
		for seed := range int64(randomSpecs) {
			if expectWellBuilt(fmt.Sprintf("seed %d", seed), randomInput(randfill.NewWithSeed(seed))) {
				built++
			}
		}
		Expect(built).To(BeNumerically(">", randomSpecs/4), "enough of them make objects")
	})
})

// expectWellBuilt builds an input twice, and says whether that made objects.
func expectWellBuilt(name string, in desired.Input) bool {
	GinkgoHelper()
	objects, err := desired.Build(in)
	if err != nil {
		Expect(objects.Ordered).To(BeEmpty(), name)
		return false
	}
	again := build(in)
	Expect(again.RouteHash).To(Equal(objects.RouteHash), name)
	Expect(contents(again)).To(Equal(contents(objects)), name)
	expectInvariants(name, in, objects)
	return true
}

func expectInvariants(seed string, in desired.Input, objects desired.Objects) {
	GinkgoHelper()
	reference := readInput("minimal")
	reference.Backend.ObjectMeta = in.Backend.ObjectMeta
	expectSameListenerKinds(contents(build(reference)), contents(objects))
	for _, obj := range objects.Ordered {
		Expect(validation.IsDNS1035Label(obj.GetName())).To(BeEmpty(), seed)
		Expect(obj.GetNamespace()).To(Equal(in.Backend.Namespace), seed)
		Expect(obj.GetOwnerReferences()).To(HaveLen(1), seed)
	}
	deployment := only[*appsv1.Deployment](objects)
	container := deployment.Spec.Template.Spec.Containers[0]
	Expect(container.Resources.Limits.Memory().IsZero()).To(BeFalse(), seed)
	Expect(container.Image).To(Equal(in.ExtProcImage), seed)
	for key, value := range deployment.Spec.Selector.MatchLabels {
		Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue(key, value), seed)
	}
	rules := only[*gatewayv1.HTTPRoute](objects).Spec.Rules
	Expect(rules[0].BackendRefs).To(HaveLen(1), seed)
	Expect(rules[0].BackendRefs[0].Name).To(BeEquivalentTo(only[*corev1.Service](objects).Name), seed)
	Expect(rules[1].Matches[0].Headers).NotTo(BeEmpty(), seed)
}

// expectSameListenerKinds is expectSameListener for TarsBackends of any name.
func expectSameListenerKinds(before, after map[string]string) {
	GinkgoHelper()
	compared := 0
	for id, content := range before {
		for _, kind := range []string{"EnvoyExtensionPolicy ", "Service ", "HTTPRouteFilter "} {
			if len(id) > len(kind) && id[:len(kind)] == kind {
				Expect(after).To(HaveKeyWithValue(id, content))
				compared++
			}
		}
	}
	Expect(compared).To(Equal(3))
}

// randomInput fills a spec at random: most of it would not pass the CRD, which
// is no reason to panic.
func randomInput(filler *randfill.Filler) desired.Input {
	GinkgoHelper()
	fill := filler.NilChance(0.4).NumElements(0, 4).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(1+c.Int63n(1<<32), resource.BinarySI)
		},
		func(d *gatewayv1.Duration, c randfill.Continue) {
			*d = gatewayv1.Duration([]string{"", "-", "0s", "1ms", "99999h", "1h2m3s4ms", "10s"}[min(c.Intn(12), 6)])
		},
	)
	in := readInput("minimal")
	spec := v1alpha1.TarsBackendSpec{}
	fill.Fill(&spec)
	if spec.Endpoint.Hostname == "" || spec.Endpoint.Port == 0 {
		spec.Endpoint = in.Backend.Spec.Endpoint
	}
	in.Backend.Spec = spec
	return in
}
