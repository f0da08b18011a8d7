// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"reflect"
	"slices"
	"strings"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// What an edit of one field may change: exactly these children.
var (
	nothing    = []string{}
	routeOnly  = []string{"HTTPRoute tars"}
	configOnly = []string{"ConfigMap", "Deployment tars-extproc"}
	podsOnly   = []string{"Deployment tars-extproc"}
	policyOnly = []string{"BackendTrafficPolicy tars"}
	endpoint   = []string{"Backend tars", "HTTPRoute tars", "ConfigMap", "Deployment tars-extproc"}
)

// edit changes one field of testdata/full.in.yaml.
type edit struct {
	change func(*v1alpha1.TarsBackendSpec)
	// children are all that change with it.
	children []string
}

var edits = map[string]edit{
	"parentRefs": {func(s *v1alpha1.TarsBackendSpec) {
		s.ParentRefs = append(s.ParentRefs, gatewayv1.ParentReference{Name: "another"})
	}, routeOnly},
	"hostnames":  {func(s *v1alpha1.TarsBackendSpec) { s.Hostnames = nil }, routeOnly},
	"pathPrefix": {func(s *v1alpha1.TarsBackendSpec) { s.PathPrefix = "/other" }, append([]string{"HTTPRoute tars"}, configOnly...)},
	"endpoint.hostname": {func(s *v1alpha1.TarsBackendSpec) {
		s.Endpoint.Hostname = "other.example.com"
	}, endpoint},
	"endpoint.port": {func(s *v1alpha1.TarsBackendSpec) { s.Endpoint.Port = 444 }, endpoint},
	"endpoint.tls.validation.caCertificateRefs": {func(s *v1alpha1.TarsBackendSpec) { s.Endpoint.TLS = nil }, []string{"Backend tars"}},
	"credential.secretRef.name":                 {func(s *v1alpha1.TarsBackendSpec) { s.Credential.SecretRef.Name = "other" }, nothing},
	"credential.secretRef.key":                  {func(s *v1alpha1.TarsBackendSpec) { s.Credential.SecretRef.Key = "other" }, nothing},
	"credential.verification.mode": {func(s *v1alpha1.TarsBackendSpec) {
		s.Credential.Verification.Mode = v1alpha1.VerificationDisabled
	}, nothing},
	"credential.verification.interval": {func(s *v1alpha1.TarsBackendSpec) {
		s.Credential.Verification.Interval = new(gatewayv1.Duration("1h"))
	}, nothing},
	"models.allow":           {func(s *v1alpha1.TarsBackendSpec) { s.Models.Allow = []string{"*"} }, configOnly},
	"models.aliases[].name":  {func(s *v1alpha1.TarsBackendSpec) { s.Models.Aliases[0].Name = "quick" }, configOnly},
	"models.aliases[].model": {func(s *v1alpha1.TarsBackendSpec) { s.Models.Aliases[0].Model = "gpt-5" }, configOnly},
	"unlistedPaths":          {func(s *v1alpha1.TarsBackendSpec) { s.UnlistedPaths = v1alpha1.UnlistedPathsDeny }, configOnly},
	"timeouts.connect":       {func(s *v1alpha1.TarsBackendSpec) { s.Timeouts.Connect = new(gatewayv1.Duration("1s")) }, policyOnly},
	"timeouts.streamIdle":    {func(s *v1alpha1.TarsBackendSpec) { s.Timeouts.StreamIdle = nil }, policyOnly},
	"timeouts.request":       {func(s *v1alpha1.TarsBackendSpec) { s.Timeouts.Request = nil }, routeOnly},
	"retry.attempts":         {func(s *v1alpha1.TarsBackendSpec) { s.Retry.Attempts = new(int32(0)) }, policyOnly},
	"retry.codes":            {func(s *v1alpha1.TarsBackendSpec) { s.Retry.Codes = nil }, policyOnly},
	"requestBody.maxSize":    {func(s *v1alpha1.TarsBackendSpec) { s.RequestBody = nil }, configOnly},
	"extProc.replicas":       {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.Replicas = new(int32(2)) }, podsOnly},
	"extProc.resources": {func(s *v1alpha1.TarsBackendSpec) {
		s.ExtProc.Resources.Limits[corev1.ResourceMemory] = resource.MustParse("300Mi")
	}, podsOnly},
	"extProc.drainTimeout": {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.DrainTimeout = nil }, configOnly},
	"extProc.podTemplate.metadata.labels": {func(s *v1alpha1.TarsBackendSpec) {
		s.ExtProc.PodTemplate.Metadata.Labels["team"] = "b"
	}, podsOnly},
	"extProc.podTemplate.metadata.annotations": {func(s *v1alpha1.TarsBackendSpec) {
		s.ExtProc.PodTemplate.Metadata.Annotations = nil
	}, podsOnly},
	"extProc.podTemplate.imagePullSecrets": {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.PodTemplate.ImagePullSecrets = nil }, podsOnly},
	"extProc.podTemplate.nodeSelector":     {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.PodTemplate.NodeSelector = nil }, podsOnly},
	"extProc.podTemplate.tolerations":      {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.PodTemplate.Tolerations = nil }, podsOnly},
	"extProc.podTemplate.affinity":         {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.PodTemplate.Affinity = nil }, podsOnly},
	"extProc.podTemplate.priorityClassName": {func(s *v1alpha1.TarsBackendSpec) {
		s.ExtProc.PodTemplate.PriorityClassName = ""
	}, podsOnly},
	"extProc.podTemplate.env[].name":  {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.PodTemplate.Env[0].Name = "GOGC" }, podsOnly},
	"extProc.podTemplate.env[].value": {func(s *v1alpha1.TarsBackendSpec) { s.ExtProc.PodTemplate.Env[0].Value = "4" }, podsOnly},
	"readiness.dataPlane": {func(s *v1alpha1.TarsBackendSpec) {
		s.Readiness.DataPlane = v1alpha1.ReadinessRequired
	}, nothing},
}

var _ = Describe("Editing a TarsBackend", func() {
	for field, e := range edits {
		It("changes what "+field+" is about, and nothing in a listener", func() {
			in := readInput("full")
			before := build(in)

			in.Backend = in.Backend.DeepCopy()
			e.change(&in.Backend.Spec)
			in.Parents = in.Backend.Spec.ParentRefs
			after := build(in)

			Expect(differing(before, after)).To(ConsistOf(e.children))
			expectSameListener(contents(before), contents(after))
			// Envoy Gateway has to see a new hash exactly when it has
			// something new to translate.
			expectNewHash(before.RouteHash, after.RouteHash, holdsAny(e.children, "Backend tars", "BackendTrafficPolicy tars", "HTTPRoute tars"))
			expectNewHash(before.ConfigHash, after.ConfigHash, holdsAny(e.children, "ConfigMap"))
			Expect(only[*egv1a1.BackendTrafficPolicy](after).Spec.ResponseOverride).
				To(Equal(only[*egv1a1.BackendTrafficPolicy](before).Spec.ResponseOverride))
		})
	}

	It("is tried for every field there is", func() {
		fields := leaves(reflect.TypeFor[v1alpha1.TarsBackendSpec](), "")
		Expect(fields).To(ContainElements("models.aliases[].name", "extProc.replicas"), "the walk finds fields")
		tried := make([]string, 0, len(edits))
		for field := range edits {
			tried = append(tried, field)
		}
		Expect(tried).To(ConsistOf(fields))
	})

	It("changes only the derived Secret when the key changes", func() {
		in := readInput("full")
		before := build(in)
		in.Key = "sk-rotated"
		after := build(in)
		Expect(differing(before, after)).To(ConsistOf("Secret tars-credential"))
		Expect(after.RouteHash).To(Equal(before.RouteHash))
		Expect(only[*corev1.Secret](after).Data).To(Equal(map[string][]byte{"credential": []byte("Bearer sk-rotated")}))
	})

	It("keeps the listener between the least and the most that a spec can say", func() {
		most := readInput("full")
		least := readInput("minimal")
		least.Backend.UID = most.Backend.UID
		expectSameListener(contents(build(least)), contents(build(most)))
	})

	It("rolls no pod when a list is only reordered", func() {
		in := readInput("full")
		in.Backend.Spec.Models.Aliases = []v1alpha1.ModelAlias{{Name: "b", Model: "m"}, {Name: "a", Model: "n"}}
		before := build(in)
		in.Backend.Spec.Models.Aliases = []v1alpha1.ModelAlias{{Name: "a", Model: "n"}, {Name: "b", Model: "m"}}
		in.Backend.Spec.Models.Allow = []string{"claude-*", "gpt-4o-mini"}
		Expect(differing(before, build(in))).To(BeEmpty())
	})

	It("announces a hash by the HTTPRoute alone, and without changing it", func() {
		in := readInput("minimal")
		before := build(in)
		Expect(desired.AnnouncedHash(only[*gatewayv1.HTTPRoute](before))).To(BeEmpty())
		in.RouteHash = before.RouteHash
		after := build(in)
		Expect(differing(before, after)).To(ConsistOf(routeOnly))
		Expect(after.RouteHash).To(Equal(before.RouteHash))
		route := only[*gatewayv1.HTTPRoute](after)
		Expect(desired.AnnouncedHash(route)).To(Equal(before.RouteHash))
		for i := range route.Spec.Rules {
			rule := &route.Spec.Rules[i]
			Expect(rule.Filters[len(rule.Filters)-1].ResponseHeaderModifier.Set).
				To(Equal([]gatewayv1.HTTPHeader{{Name: config.HeaderRouteHash, Value: before.RouteHash}}), "%s", *rule.Name)
			filters := rule.Filters
			rule.Filters = nil
			Expect(desired.AnnouncedHash(route)).To(BeEmpty(), "every rule has to announce it")
			rule.Filters = filters
		}
	})
})

// expectSameListener compares what Envoy Gateway puts into the listener: the
// filter of the EnvoyExtensionPolicy, the Service it names, and the
// HTTPRouteFilters. The response override is a filter too.
func expectSameListener(before, after map[string]string) {
	GinkgoHelper()
	for _, id := range []string{
		"EnvoyExtensionPolicy tars", "Service tars-extproc",
		"HTTPRouteFilter tars-credential",
	} {
		Expect(before).To(HaveKey(id))
		Expect(after).To(HaveKeyWithValue(id, before[id]))
	}
}

func expectNewHash(before, after string, changed bool) {
	GinkgoHelper()
	if changed {
		Expect(after).NotTo(Equal(before))
	} else {
		Expect(after).To(Equal(before))
	}
}

func holdsAny(all []string, some ...string) bool {
	return slices.ContainsFunc(some, func(one string) bool { return slices.Contains(all, one) })
}

// leaves are the paths of all fields of the API's own structs; what is of
// another package counts as one field.
func leaves(t reflect.Type, path string) []string {
	ours := reflect.TypeFor[v1alpha1.TarsBackendSpec]().PkgPath()
	switch {
	case t.Kind() == reflect.Pointer:
		return leaves(t.Elem(), path)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && t.Elem().PkgPath() == ours:
		return leaves(t.Elem(), path+"[]")
	case t.Kind() != reflect.Struct || t.PkgPath() != ours:
		return []string{path}
	}
	var found []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		found = append(found, leaves(field.Type, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return found
}
