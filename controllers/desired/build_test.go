// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"fmt"
	"reflect"
	"strings"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

var _ = Describe("Build", func() {
	It("makes objects of all its kinds and of no other", func() {
		scheme := runtime.NewScheme()
		for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, egv1a1.AddToScheme} {
			Expect(add(scheme)).To(Succeed())
		}
		kinds := map[string]bool{}
		for _, obj := range build(readInput("full")).Ordered {
			kind, err := apiutil.GVKForObject(obj, scheme)
			Expect(err).NotTo(HaveOccurred())
			Expect(obj.GetObjectKind().GroupVersionKind()).To(Equal(kind), "the object says what it is")
			kinds[kind.String()] = true
		}
		listed := map[string]bool{}
		for _, kind := range desired.Kinds() {
			listed[kind.String()] = true
		}
		Expect(kinds).To(Equal(listed))
	})

	It("puts what others name first and the HTTPRoute last", func() {
		in := readInput("full")
		objects := build(in)
		var order []string
		for _, obj := range objects.Ordered {
			order = append(order, obj.GetObjectKind().GroupVersionKind().Kind+" "+obj.GetName())
		}
		Expect(order).To(HaveExactElements(
			"Secret tars-credential", "ConfigMap tars-extproc-"+objects.ConfigHash, "ServiceAccount tars-extproc",
			"NetworkPolicy tars-extproc", "Service tars-extproc", "Deployment tars-extproc", "PodDisruptionBudget tars-extproc",
			"Backend tars", "HTTPRouteFilter tars-credential",
			"EnvoyExtensionPolicy tars", "BackendTrafficPolicy tars", "HTTPRoute tars",
		))
	})

	It("marks every object as the TarsBackend's", func() {
		in := readInput("full")
		for _, obj := range build(in).Ordered {
			Expect(obj.GetNamespace()).To(Equal("team-a"))
			Expect(obj.GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "tars-operator"))
			Expect(obj.GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/part-of", "tars-operator"))
			Expect(obj.GetLabels()).To(HaveKeyWithValue("gateway.tars.dev/tarsbackend", "tars"))
			for key, value := range desired.SelectorLabels(in.Backend) {
				Expect(obj.GetLabels()).To(HaveKeyWithValue(key, value))
			}
			Expect(obj.GetOwnerReferences()).To(HaveLen(1))
			owner := obj.GetOwnerReferences()[0]
			Expect(owner.APIVersion).To(Equal("gateway.tars.dev/v1alpha1"))
			Expect(owner.Kind).To(Equal("TarsBackend"))
			Expect(owner.Name).To(Equal("tars"))
			Expect(owner.UID).To(Equal(in.Backend.UID))
			Expect(owner.Controller).To(HaveValue(BeTrue()))
			Expect(owner.BlockOwnerDeletion).To(HaveValue(BeTrue()))
			if strings.Contains(obj.GetName(), "-extproc") {
				Expect(obj.GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/name", "tars-extproc"))
			} else {
				Expect(obj.GetLabels()).NotTo(HaveKey("app.kubernetes.io/name"))
			}
		}
	})

	It("shares no memory with its input", func() {
		in := readInput("full")
		objects := build(in)
		before := contents(objects)
		scramble(reflect.ValueOf(in.Backend).Elem().FieldByName("Spec"))
		scramble(reflect.ValueOf(in.Parents))
		Expect(in.Backend.Spec.Hostnames[0]).To(Equal(gatewayv1.Hostname("scrambled")), "the scrambling works")
		Expect(contents(objects)).To(Equal(before))
	})

	It("shares no memory between two calls", func() {
		in := readInput("full")
		before := contents(build(in))
		for _, obj := range build(in).Ordered {
			scramble(reflect.ValueOf(obj).Elem())
		}
		Expect(contents(build(in))).To(Equal(before))
	})

	DescribeTable("refuses input that would make children which only look right",
		func(spoil func(*desired.Input), message string) {
			in := readInput("minimal")
			spoil(&in)
			objects, err := desired.Build(in)
			Expect(err).To(MatchError(ContainSubstring(message)))
			Expect(objects.Ordered).To(BeEmpty())
		},
		Entry("no object", func(in *desired.Input) { in.Backend = nil }, "no UID"),
		Entry("no UID, from which the tokens come", func(in *desired.Input) { in.Backend.UID = "" }, "no UID"),
		Entry("no parent", func(in *desired.Input) { in.Parents = nil }, "without a parent"),
		Entry("no key", func(in *desired.Input) { in.Key = "" }, "without a key"),
		Entry("no image", func(in *desired.Input) { in.ExtProcImage = "" }, "without the external processor's image"),
		Entry("no host name", func(in *desired.Input) { in.Backend.Spec.Endpoint.Hostname = "" }, "without an endpoint"),
		Entry("no port", func(in *desired.Input) { in.Backend.Spec.Endpoint.Port = 0 }, "without an endpoint"),
		Entry("no path prefix", func(in *desired.Input) { in.Backend.Spec.PathPrefix = "" }, "pathPrefix"),
		Entry("a drain time that is none", func(in *desired.Input) {
			in.Backend.Spec.ExtProc = &v1alpha1.ExtProc{DrainTimeout: new(gatewayv1.Duration("soon"))}
		}, `spec.extProc.drainTimeout "soon" is no duration`),
	)

	It("keeps the key out of everything but the derived Secret", func() {
		in := readInput("full")
		in.Key = "sk-marker-e3b0c442"
		for id, content := range contents(build(in)) {
			Expect(content).NotTo(ContainSubstring(in.Key), id)
			if id != "Secret tars-credential" {
				Expect(content).NotTo(ContainSubstring("Bearer"), id)
			}
		}
	})

	DescribeTable("makes a disruption budget where it can be kept",
		func(name string, budgets int) {
			Expect(every[*policyv1.PodDisruptionBudget](build(readInput(name)))).To(HaveLen(budgets))
		},
		Entry("no replica", "replicas-0", 0),
		Entry("one replica, whose node could not be drained", "replicas-1", 0),
		Entry("two replicas, the default", "minimal", 1),
		Entry("three replicas", "replicas-3", 1),
	)
})

var _ = Describe("Names of children", func() {
	named := func(name string) desired.Input {
		in := readInput("minimal")
		in.Backend.Name = name
		return in
	}

	for _, length := range []int{1, 37, 38, 39, 51, 52, 53, 55, 62, 63, 64, 253} {
		It(fmt.Sprintf("and label values fit a DNS label when the TarsBackend's has %d characters", length), func() {
			in := named(strings.Repeat("a", length))
			seen := map[string]bool{}
			for _, obj := range build(in).Ordered {
				Expect(validation.IsDNS1035Label(obj.GetName())).To(BeEmpty(), obj.GetName())
				for _, value := range obj.GetLabels() {
					Expect(validation.IsValidLabelValue(value)).To(BeEmpty(), value)
				}
				id := obj.GetObjectKind().GroupVersionKind().Kind + " " + obj.GetName()
				Expect(seen).NotTo(HaveKey(id))
				seen[id] = true
			}
		})
	}

	It("are the TarsBackend's own as long as they fit", func() {
		Expect(build(named(strings.Repeat("a", 63))).Ordered).To(ContainElement(HaveField("Name", strings.Repeat("a", 63))))
		Expect(desired.CredentialSecretName(named(strings.Repeat("a", 52)).Backend)).To(Equal(strings.Repeat("a", 52) + "-credential"))
	})

	It("differ for TarsBackends whose long names begin alike", func() {
		ids := map[string]bool{}
		count := 0
		for _, end := range []string{"x", "y"} {
			for id := range contents(build(named(strings.Repeat("a", 100) + end))) {
				ids[strings.TrimPrefix(id, "ConfigMap")] = true
				count++
			}
		}
		// Both have one ConfigMap, whose name is left out of contents.
		Expect(ids).To(HaveLen(count - 1))
		one, other := named(strings.Repeat("a", 100)+"x"), named(strings.Repeat("a", 100)+"y")
		Expect(desired.SelectorLabels(one.Backend)).NotTo(Equal(desired.SelectorLabels(other.Backend)))
	})

	It("leave no double or trailing dash where the cut falls on a dash", func() {
		name := strings.Repeat("a-", 60) + "b"
		for _, obj := range build(named(name)).Ordered {
			Expect(obj.GetName()).NotTo(ContainSubstring("--"))
		}
	})

	It("name each other rightly, also when they are cut", func() {
		objects := build(named(strings.Repeat("a", 253)))
		secret := only[*corev1.Secret](objects).Name
		expectReferences(objects, secret)
	})
})

// scramble overwrites all strings and numbers that can be reached.
func scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			scramble(v.Elem())
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				scramble(field)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			v.SetMapIndex(key, reflect.Zero(v.Type().Elem()))
		}
	case reflect.String:
		v.SetString("scrambled")
	case reflect.Int32, reflect.Int64:
		v.SetInt(-1)
	default:
	}
}
