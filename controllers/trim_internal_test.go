// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// carried is metadata of which a child in the cache keeps all but who manages what.
func carried(manager string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Name: "child", Namespace: "team", UID: "u", ResourceVersion: "7", Generation: 3,
		Labels:      map[string]string{labelManagedBy: manager, "other": "label"},
		Annotations: map[string]string{"an": "annotation"}, OwnerReferences: []metav1.OwnerReference{{UID: "owner"}},
	}
	return m
}

func managed(m metav1.ObjectMeta) metav1.ObjectMeta {
	m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "someone"}}
	return m
}

var _ = Describe("An object of ours in the cache", func() {
	meta := carried(managedByUs)
	accepted := gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{{ControllerName: "c"}}}
	announcing := func(rules ...gatewayv1.HTTPRouteRule) gatewayv1.HTTPRouteSpec {
		return gatewayv1.HTTPRouteSpec{Rules: rules}
	}
	announces := gatewayv1.HTTPRouteFilter{
		Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier,
		ResponseHeaderModifier: &gatewayv1.HTTPHeaderFilter{
			Set: []gatewayv1.HTTPHeader{{Name: config.HeaderRouteHash, Value: "hash"}},
		},
	}
	buffers := &egv1a1.BackendConnection{BufferLimit: new(resource.MustParse("1Mi"))}
	routeStatus := gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{{ControllerName: "c"}}}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationConfigHash: "h"}}}
	whole := *template.DeepCopy()
	whole.Labels = map[string]string{"pod": "label"}
	whole.Spec.Containers = []corev1.Container{{Name: "extproc"}}

	DescribeTable("has only what is read of it",
		func(before, after client.Object) {
			got, err := trimmed(before)
			Expect(err).NotTo(HaveOccurred())
			Expect(got).To(Equal(after))
		},
		Entry("metadata", &metav1.PartialObjectMetadata{ObjectMeta: managed(meta)}, &metav1.PartialObjectMetadata{ObjectMeta: meta}),
		Entry("an HTTPRoute",
			&gatewayv1.HTTPRoute{ObjectMeta: managed(meta), Status: routeStatus, Spec: gatewayv1.HTTPRouteSpec{
				Hostnames:       []gatewayv1.Hostname{"h"},
				CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "gw"}}},
				Rules: []gatewayv1.HTTPRouteRule{{
					Matches: []gatewayv1.HTTPRouteMatch{{}}, Filters: []gatewayv1.HTTPRouteFilter{{Type: "URLRewrite"}, announces},
				}, {BackendRefs: []gatewayv1.HTTPBackendRef{{}}}},
			}},
			&gatewayv1.HTTPRoute{ObjectMeta: meta, Status: routeStatus, Spec: announcing(
				gatewayv1.HTTPRouteRule{Filters: []gatewayv1.HTTPRouteFilter{announces}}, gatewayv1.HTTPRouteRule{})}),
		Entry("an EnvoyExtensionPolicy",
			&egv1a1.EnvoyExtensionPolicy{ObjectMeta: managed(meta), Status: accepted, Spec: egv1a1.EnvoyExtensionPolicySpec{
				MergeType: new(egv1a1.StrategicMerge),
				ExtProc: []egv1a1.ExtProc{{FailOpen: new(false), BackendCluster: egv1a1.BackendCluster{BackendSettings: &egv1a1.ClusterSettings{
					Connection: buffers, Retry: &egv1a1.Retry{},
				}}}},
			}},
			&egv1a1.EnvoyExtensionPolicy{ObjectMeta: meta, Status: accepted, Spec: egv1a1.EnvoyExtensionPolicySpec{
				ExtProc: []egv1a1.ExtProc{{BackendCluster: egv1a1.BackendCluster{BackendSettings: &egv1a1.ClusterSettings{Connection: buffers}}}},
			}}),
		Entry("a BackendTrafficPolicy",
			&egv1a1.BackendTrafficPolicy{ObjectMeta: managed(meta), Status: accepted, Spec: egv1a1.BackendTrafficPolicySpec{MergeType: new(egv1a1.StrategicMerge)}},
			&egv1a1.BackendTrafficPolicy{ObjectMeta: meta, Status: accepted}),
		Entry("a Backend",
			&egv1a1.Backend{ObjectMeta: managed(meta), Spec: egv1a1.BackendSpec{Fallback: new(true)}, Status: egv1a1.BackendStatus{Conditions: []metav1.Condition{{Type: "t"}}}},
			&egv1a1.Backend{ObjectMeta: meta, Status: egv1a1.BackendStatus{Conditions: []metav1.Condition{{Type: "t"}}}}),
		Entry("a Deployment",
			&appsv1.Deployment{ObjectMeta: managed(meta), Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Paused: true, Template: whole}, Status: appsv1.DeploymentStatus{Replicas: 2}},
			&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Template: template}, Status: appsv1.DeploymentStatus{Replicas: 2}}),
	)

	It("still tells an HTTPRoute's hash, and that a rule has none", func() {
		route := &gatewayv1.HTTPRoute{Spec: announcing(gatewayv1.HTTPRouteRule{Filters: []gatewayv1.HTTPRouteFilter{announces}})}
		trim(route)
		Expect(desired.AnnouncedHash(route)).To(Equal("hash"))
		route = &gatewayv1.HTTPRoute{Spec: announcing(gatewayv1.HTTPRouteRule{Filters: []gatewayv1.HTTPRouteFilter{announces}}, gatewayv1.HTTPRouteRule{})}
		trim(route)
		Expect(desired.AnnouncedHash(route)).To(BeEmpty())
	})

	DescribeTable("is trimmed beside Envoy Gateway's, which are read whole",
		func(ours, ourRest, theirs client.Object) {
			Expect(trimmedIfOurs(ours)).To(Equal(ourRest))
			whole := theirs.DeepCopyObject().(client.Object)
			whole.SetManagedFields(nil)
			Expect(trimmedIfOurs(theirs)).To(Equal(whole))
		},
		Entry("Services",
			&corev1.Service{ObjectMeta: managed(meta), Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}}, &corev1.Service{ObjectMeta: meta},
			&corev1.Service{ObjectMeta: managed(carried(managedByEnvoyGateway)), Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}}),
		Entry("EndpointSlices",
			&discoveryv1.EndpointSlice{ObjectMeta: managed(meta), Endpoints: []discoveryv1.Endpoint{{}}, Ports: []discoveryv1.EndpointPort{{}}},
			&discoveryv1.EndpointSlice{ObjectMeta: meta},
			&discoveryv1.EndpointSlice{ObjectMeta: managed(carried(managedByEnvoyGateway)), Endpoints: []discoveryv1.Endpoint{{}}}),
	)
})

var _ = Describe("What is remembered of a write", func() {
	key := childKey{kind: kindConfigMap, name: client.ObjectKey{Namespace: "team", Name: "child"}}
	owner := client.ObjectKey{Namespace: "team", Name: "owner"}
	remembered := func(m *memory) client.Object {
		a, ok := m.get(owner, key)
		Expect(ok).To(BeTrue())
		return a.object
	}

	It("is the cache's object from its echo on, unless that has others' labels", func() {
		m := newMemory()
		mine := &metav1.PartialObjectMetadata{ObjectMeta: carried(managedByUs)}
		m.put(owner, key, applied{intent: "i", object: mine})
		foreign := mine.DeepCopy()
		foreign.Labels["added"] = "by others"
		Expect(m.isOurChild(owner, key, foreign)).To(BeTrue())
		Expect(remembered(m)).To(BeIdenticalTo(mine))
		annotated := mine.DeepCopy()
		annotated.Annotations["added"] = "by others"
		Expect(m.isOurChild(owner, key, annotated)).To(BeTrue())
		Expect(remembered(m)).To(BeIdenticalTo(mine))
		echo := mine.DeepCopy()
		Expect(m.isOurChild(owner, key, echo)).To(BeTrue())
		Expect(remembered(m)).To(BeIdenticalTo(echo))
		later := mine.DeepCopy()
		later.ResourceVersion = "8"
		Expect(m.isOurChild(owner, key, later)).To(BeFalse())
		Expect(remembered(m)).To(BeIdenticalTo(echo))
		Expect(m.isOurChild(client.ObjectKey{Name: "another"}, key, echo)).To(BeFalse())
	})

	It("is the cache's TarsBackend from its echo on", func() {
		m := newMemory()
		mine := &v1alpha1.TarsBackend{ObjectMeta: carried("")}
		m.wrote(mine)
		later := mine.DeepCopy()
		later.ResourceVersion = "8"
		Expect(m.isOurs(later)).To(BeFalse())
		echo := mine.DeepCopy()
		Expect(m.isOurs(echo)).To(BeTrue())
		Expect(m.written[client.ObjectKeyFromObject(mine)]).To(BeIdenticalTo(echo))
	})
})
