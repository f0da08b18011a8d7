// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

const rivalsController = gatewayv1.GatewayController("example.com/eg")

// contestant is a TarsBackend, the older the smaller its age, written as its hosts
// and Gateways: "a,b g,h".
func contestant(age int, words string) v1alpha1.TarsBackend {
	hosts, gateways, _ := strings.Cut(words, " ")
	b := v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: fmt.Sprintf("b%04d", age), UID: types.UID(fmt.Sprint(age)),
		CreationTimestamp: metav1.NewTime(time.Unix(int64(age/2), 0)), // two at a time
	}}
	b.Spec.PathPrefix, b.Spec.Endpoint.Hostname = "/", "api.example.com"
	for h := range strings.SplitSeq(hosts, ",") {
		if h != "" {
			b.Spec.Hostnames = append(b.Spec.Hostnames, gatewayv1.Hostname(h+".example.com"))
		}
	}
	for g := range strings.SplitSeq(gateways, ",") {
		b.Spec.ParentRefs = append(b.Spec.ParentRefs, gatewayv1.ParentReference{Name: gatewayv1.ObjectName(g)})
	}
	return b
}

func contestants(words ...string) []v1alpha1.TarsBackend {
	all := make([]v1alpha1.TarsBackend, 0, len(words))
	for i, w := range words {
		all = append(all, contestant(i, w))
	}
	return all
}

// rivalsCluster has Gateways g and h, and the contestants.
func rivalsCluster(all []v1alpha1.TarsBackend) client.WithWatch {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		Expect(add(scheme)).To(Succeed())
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).
		WithObjects(&gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "eg"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: rivalsController}}).
		WithIndex(&v1alpha1.TarsBackend{}, indexGateway, gatewaysOf).WithIndex(&v1alpha1.TarsBackend{}, indexPath, pathsOf)
	for _, name := range []string{"g", "h"} {
		builder = builder.WithObjects(&gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "eg", Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
		}})
	}
	for i := range all {
		builder = builder.WithObjects(&all[i])
	}
	return builder.Build()
}

// serving are the ages of those without a rival.
func serving(ctx context.Context, c client.Client, all []v1alpha1.TarsBackend) []int {
	GinkgoHelper()
	r := Resolver{
		Reader: c, Settings: Settings{AllowedEndpoints: []string{"*.example.com"}, GatewayControllerNames: []gatewayv1.GatewayController{rivalsController}},
		TarsBackends: func(context.Context, *gatewayv1.Gateway) ([]v1alpha1.TarsBackend, error) {
			return slices.Clone(all), nil
		},
	}
	found := []int{}
	for i := range all {
		parents, labels, err := r.Parents(ctx, &all[i])
		Expect(err).NotTo(HaveOccurred())
		finding, err := r.Rival(ctx, conditions.Observation{Backend: &all[i], Parents: parents, NamespaceLabels: labels})
		Expect(err).NotTo(HaveOccurred())
		if finding == nil {
			found = append(found, i)
		}
	}
	return found
}

var _ = Describe("rivals", func() {
	DescribeTable("serve from the oldest on", func(ctx SpecContext, want []int, words ...string) {
		all := contestants(words...)
		Expect(serving(ctx, rivalsCluster(all), all)).To(Equal(want))
	},
		Entry("the first of two", []int{0}, "a g", "a g"),
		Entry("both, at different Gateways", []int{0, 1}, "a g", "a h"),
		Entry("one whose rival waits itself", []int{0, 2}, "a g", "a,b g", "b g"),
		Entry("one whose rival waits itself, at another Gateway", []int{0, 2}, "a g", "a g,h", "a h"),
		Entry("not one whose rival's rival waits", []int{0, 2}, "a g", "a,b g", "b,c g", "c g"),
		Entry("one whose rival of any host waits", []int{0, 2}, "a g", " g", "b g", " g"),
	)
	It("agree on who serves, whatever they are: of two in each other's way one at most, and all that nobody who serves is in the way of",
		func(ctx SpecContext) {
			random := rand.New(rand.NewPCG(1, uint64(GinkgoRandomSeed())))
			some := func(of ...string) string {
				taken := slices.DeleteFunc(slices.Clone(of), func(string) bool { return random.IntN(3) > 0 })
				return strings.Join(append(taken, of[random.IntN(len(of))])[:1+random.IntN(len(taken)+1)], ",")
			}
			for range 100 {
				var all []v1alpha1.TarsBackend
				for i := range 2 + random.IntN(8) {
					all = append(all, contestant(i, some("a", "b", "c", "*")+" "+some("g", "h")))
				}
				serves := serving(ctx, rivalsCluster(all), all)
				for i := range all {
					inTheWay := slices.ContainsFunc(serves, func(older int) bool { return older < i && meet(&all[older], &all[i]) })
					Expect(slices.Contains(serves, i)).To(Equal(!inTheWay), "%d of %v, of which %v serve", i, all, serves)
				}
			}
		})

	Context("that change", func() {
		woken := func(ctx context.Context, all []v1alpha1.TarsBackend, changed ...int) []string {
			w := &watcher{reader: rivalsCluster(all)}
			first := make([]v1alpha1.TarsBackend, 0, len(changed))
			for _, i := range changed {
				first = append(first, all[i])
			}
			names := []string{}
			for _, request := range w.behind(ctx, first) {
				names = append(names, request.Name)
			}
			slices.Sort(names)
			return names
		}
		It("wake the younger ones that they may keep from serving, at second hand too", func(ctx SpecContext) {
			all := contestants("a g", "a,b g,h", "b h", "c h", "c g")
			Expect(woken(ctx, all, 0)).To(Equal([]string{"b0001", "b0002"}))
			Expect(woken(ctx, all, 1)).To(Equal([]string{"b0002"}))
			Expect(woken(ctx, all, 2)).To(BeEmpty())
			Expect(woken(ctx, all, 0, 1)).To(Equal([]string{"b0002"}), "those of the event are woken anyway")
			all[1].Spec.PathPrefix = "/other"
			Expect(woken(ctx, all, 0)).To(BeEmpty())
		})
		It("are read once for each path at a Gateway, however many there are", func(ctx SpecContext) {
			const many = 1000
			all := make([]v1alpha1.TarsBackend, 0, many)
			for i := range many {
				all = append(all, contestant(i, fmt.Sprintf("h%d,h%d g", i/2, i/2+many)))
			}
			lists := 0
			w := &watcher{reader: interceptor.NewClient(rivalsCluster(all), interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					lists++
					return c.List(ctx, list, opts...)
				},
			})}
			Expect(w.behind(ctx, all[:1])).To(HaveLen(1), "one other has its hosts")
			Expect(lists).To(Equal(1))
			Expect(w.withThoseBehind(ctx, client.MatchingFields{indexGateway: "ns/g"})).To(HaveLen(many))
			Expect(lists).To(Equal(3))
		})
	})
})

// meet says whether two are in each other's way, in a cluster whose Gateways take all.
func meet(a, b *v1alpha1.TarsBackend) bool {
	return slices.ContainsFunc(gatewaysOf(a), func(g string) bool { return slices.Contains(gatewaysOf(b), g) }) &&
		hostsMeet(hostsOf(a), hostsOf(b))
}
