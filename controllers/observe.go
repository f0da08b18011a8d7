// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"net"
	"strconv"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// observe reads back what became of the children.
func (r *TarsBackendReconciler) observe(ctx context.Context, s *scope) (bool, error) {
	var err error
	for _, obj := range s.objects.Ordered {
		name := obj.GetName()
		switch obj.(type) {
		case *gatewayv1.HTTPRoute:
			s.seen.Route, err = liveAs[*gatewayv1.HTTPRoute](ctx, r, s, childKeyIn(s, kindHTTPRoute, name))
		case *egv1a1.EnvoyExtensionPolicy:
			s.seen.ExtensionPolicy, err = liveAs[*egv1a1.EnvoyExtensionPolicy](ctx, r, s, childKeyIn(s, kindExtension, name))
		case *egv1a1.BackendTrafficPolicy:
			s.seen.TrafficPolicy, err = liveAs[*egv1a1.BackendTrafficPolicy](ctx, r, s, childKeyIn(s, kindTrafficPolicy, name))
		case *egv1a1.Backend:
			s.seen.Endpoint, err = liveAs[*egv1a1.Backend](ctx, r, s, childKeyIn(s, kindBackend, name))
		case *appsv1.Deployment:
			s.seen.Deployment, err = liveAs[*appsv1.Deployment](ctx, r, s, childKeyIn(s, kindDeployment, name))
		}
		if err != nil {
			return false, err
		}
	}
	s.trustStatus()
	return true, nil
}

// trustStatus takes from the status what it tells of exactly this state of
// things: the same generation, configuration, route and key. It comes before
// commit, which changes the route.
func (s *scope) trustStatus() {
	status := s.backend.Status
	sameKey := status.Credential != nil && status.Credential.Fingerprint == s.seen.CredentialFingerprint
	if status.ObservedGeneration != s.backend.Generation || !sameKey {
		return
	}
	s.seen.ModelsBefore = status.Models
	if status.ExtProc == nil || status.ExtProc.ConfigHash != s.objects.ConfigHash ||
		s.seen.Route == nil || desired.AnnouncedHash(s.seen.Route) != s.objects.RouteHash {
		return
	}
	isTrue := func(condition string) bool {
		c := meta.FindStatusCondition(status.Conditions, condition)
		return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == s.backend.Generation
	}
	s.trust = canary.Trust{
		DataPlane: isTrue(v1alpha1.ConditionDataPlaneVerified),
		Upstream:  isTrue(v1alpha1.ConditionUpstreamReachable),
		Key:       isTrue(v1alpha1.ConditionCredentialVerified),
	}
}

func childKeyIn(s *scope, kind schema.GroupVersionKind, name string) childKey {
	return childKey{kind: kind, name: client.ObjectKey{Namespace: s.backend.Namespace, Name: name}}
}

// liveAs is live for a kind that is cached whole; nil where the object does
// not exist or is not ours.
func liveAs[T client.Object](ctx context.Context, r *TarsBackendReconciler, s *scope, key childKey) (T, error) {
	var none T
	obj, err := r.live(ctx, s.name(), key)
	if err != nil || obj == nil || !metav1.IsControlledBy(obj, s.backend) {
		return none, err
	}
	typed, ok := obj.(T)
	if !ok {
		return none, fmt.Errorf("%s was read as %T", key, obj)
	}
	return typed, nil
}

// askEnvoys has the prober ask every Envoy for exactly this configuration, and
// takes what it has seen so far. It runs once the HTTPRoute carries the new
// hash: before, no answer could be right.
func (r *TarsBackendReconciler) askEnvoys(ctx context.Context, s *scope) (bool, error) {
	in := canary.PlanInput{
		Backend: s.backend, NamespaceLabels: s.seen.NamespaceLabels, Parents: s.seen.Parents,
		Path: s.objects.CanaryPath, ConfigHash: s.seen.ConfigHash, RouteHash: s.seen.RouteHash,
		Replicas: extProcReplicas(s.backend), Trust: s.trust, RollingOut: !conditions.RolledOut(s.seen),
	}
	var err error
	if in.Upstream, err = r.upstream(s); err != nil {
		return false, err
	}
	for _, parent := range s.seen.Parents {
		if parent.Gateway == nil || !parent.Controlled {
			continue
		}
		services, err := r.envoyServices(ctx, parent.Gateway)
		if err != nil {
			return false, err
		}
		in.Services = append(in.Services, services...)
	}
	for i := range in.Services {
		found := &discoveryv1.EndpointSliceList{}
		err := r.client.List(ctx, found, client.MatchingFields{indexServiceOfSlice: client.ObjectKeyFromObject(&in.Services[i]).String()})
		if err != nil {
			return false, attempt(err, "listing EndpointSlices")
		}
		in.EndpointSlices = append(in.EndpointSlices, found.Items...)
	}
	plan := canary.NewPlan(in)
	r.prober.Set(s.name(), plan)
	s.seen.Canary = r.prober.Report(s.name(), plan)
	return true, nil
}

// upstream says how TARS is asked through the Envoys.
func (r *TarsBackendReconciler) upstream(s *scope) (canary.Upstream, error) {
	spec := s.backend.Spec
	interval := v1alpha1.DefaultVerificationInterval
	if d := spec.Credential.Verification.Interval; d != nil {
		parsed, err := desired.Duration("spec.credential.verification.interval", *d)
		if err != nil {
			return canary.Upstream{}, fmt.Errorf("planning the verification of the key: %w", err)
		}
		interval = parsed.Duration
	}
	endpoint := net.JoinHostPort(spec.Endpoint.Hostname, strconv.Itoa(int(spec.Endpoint.Port)))
	return canary.Upstream{
		Identity:  canary.UpstreamIdentity(s.seen.CredentialFingerprint, endpoint, s.authorities),
		PassToken: s.objects.PassToken,
		Verify:    spec.Credential.Verification.Mode != v1alpha1.VerificationDisabled,
		Interval:  interval,
		Endpoint:  endpoint,
		CA:        s.authorities,
		Private:   AllowedByName(r.settings.AllowedEndpoints, spec.Endpoint.Hostname),
	}, nil
}

// envoyServices are those that Envoy Gateway labels as a Gateway's, or as
// shared by all Gateways of its class.
func (r *TarsBackendReconciler) envoyServices(ctx context.Context, gateway *gatewayv1.Gateway) ([]corev1.Service, error) {
	var services []corev1.Service
	for _, owner := range []string{
		ownerIsGateway(gateway.Namespace, gateway.Name), ownerIsClass(string(gateway.Spec.GatewayClassName)),
	} {
		found := &corev1.ServiceList{}
		if err := r.client.List(ctx, found, client.MatchingFields{indexGatewayOfService: owner}); err != nil {
			return nil, attempt(err, "listing the Services of Envoys")
		}
		services = append(services, found.Items...)
	}
	return services, nil
}

func extProcReplicas(b *v1alpha1.TarsBackend) int32 {
	if b.Spec.ExtProc == nil {
		return v1alpha1.DefaultExtProcReplicas
	}
	return ptr.Deref(b.Spec.ExtProc.Replicas, v1alpha1.DefaultExtProcReplicas)
}
