// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// defaultDrainTime is Envoy Gateway's where no EnvoyProxy says otherwise
// (EnvoyProxy, spec.shutdown.drainTimeout).
const defaultDrainTime = 60 * time.Second

// warnOfDrain tells that a listener is about to change, which drains the
// connections of every app on it, where that is shorter than a stream may be.
// It is a help, so nothing that goes wrong here keeps anything from going on.
func (r *TarsBackendReconciler) warnOfDrain(ctx context.Context, b *v1alpha1.TarsBackend, parents []conditions.Parent) {
	longest, err := desired.LongestStream(b)
	if err != nil {
		logf.FromContext(ctx).Error(err, "Not comparing the drain time")
		return
	}
	for _, p := range parents {
		if p.Gateway == nil || !p.Controlled {
			continue
		}
		drain, err := r.drainTimeOf(ctx, p.Gateway)
		switch {
		case err != nil:
			logf.FromContext(ctx).Error(err, "Not comparing the drain time")
		case drain.time < longest.Duration:
			r.emit(b, corev1.EventTypeWarning, v1alpha1.ReasonShortDrainTime, fmt.Sprintf(
				"serving begins or ends on Gateway %s/%s, so Envoy drains the connections of every app on it and cuts what is left after %s (%s), "+
					"but a stream may take %s: set spec.shutdown.drainTimeout of the Gateway's EnvoyProxy to that or more",
				p.Gateway.Namespace, p.Gateway.Name, drain.time, drain.source, longest.Duration))
		}
	}
}

// warnOfDrainAtEnd is warnOfDrain where the parents were not resolved before.
func (r *TarsBackendReconciler) warnOfDrainAtEnd(ctx context.Context, b *v1alpha1.TarsBackend) {
	if !r.platform.started() { // Gateways cannot be read
		return
	}
	s := &scope{backend: b}
	if err := r.resolveParents(ctx, s); err != nil {
		logf.FromContext(ctx).Error(err, "Not comparing the drain time")
		return
	}
	r.warnOfDrain(ctx, b, s.seen.Parents)
}

// drainTime is how long Envoy drains, and who says so.
type drainTime struct {
	time   time.Duration
	source string
}

// drainTimeOf goes through the EnvoyProxies as Envoy Gateway does: the
// Gateway's replaces the class's, unless it asks to be merged with it.
func (r *TarsBackendReconciler) drainTimeOf(ctx context.Context, gateway *gatewayv1.Gateway) (drainTime, error) {
	own, err := r.envoyProxy(ctx, nameOfGatewayProxy(gateway))
	if err != nil {
		return drainTime{}, err
	}
	if d, said, err := drainTimeIn(own); said || err != nil {
		return d, err
	}
	if own == nil || own.Spec.MergeType != nil {
		class := &gatewayv1.GatewayClass{}
		if err := r.client.Get(ctx, types.NamespacedName{Name: string(gateway.Spec.GatewayClassName)}, class); err != nil {
			return drainTime{}, attempt(err, "reading GatewayClass %s", gateway.Spec.GatewayClassName)
		}
		shared, err := r.envoyProxy(ctx, nameOfClassProxy(class))
		if err != nil {
			return drainTime{}, err
		}
		if d, said, err := drainTimeIn(shared); said || err != nil {
			return d, err
		}
	}
	return drainTime{time: defaultDrainTime, source: "Envoy Gateway's default"}, nil
}

// drainTimeIn is what an EnvoyProxy, which may be nil, says.
func drainTimeIn(proxy *egv1a1.EnvoyProxy) (d drainTime, said bool, err error) {
	if proxy == nil || proxy.Spec.Shutdown == nil || proxy.Spec.Shutdown.DrainTimeout == nil {
		return d, false, nil
	}
	source := fmt.Sprintf("spec.shutdown.drainTimeout of EnvoyProxy %s/%s", proxy.Namespace, proxy.Name)
	parsed, err := desired.Duration(source, *proxy.Spec.Shutdown.DrainTimeout)
	return drainTime{time: parsed.Duration, source: source}, true, err
}

// envoyProxy reads an EnvoyProxy; nil where there is no name or no such object.
func (r *TarsBackendReconciler) envoyProxy(ctx context.Context, name types.NamespacedName) (*egv1a1.EnvoyProxy, error) {
	if name.Name == "" {
		return nil, nil
	}
	proxy := &egv1a1.EnvoyProxy{}
	if err := r.direct.Get(ctx, name, proxy); err != nil {
		return nil, attempt(client.IgnoreNotFound(err), "reading EnvoyProxy %s", name)
	}
	return proxy, nil
}

func nameOfGatewayProxy(g *gatewayv1.Gateway) types.NamespacedName {
	if g.Spec.Infrastructure == nil || g.Spec.Infrastructure.ParametersRef == nil {
		return types.NamespacedName{}
	}
	ref := g.Spec.Infrastructure.ParametersRef
	if !isEnvoyProxy(ref.Group, ref.Kind) {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: g.Namespace, Name: ref.Name}
}

func nameOfClassProxy(c *gatewayv1.GatewayClass) types.NamespacedName {
	ref := c.Spec.ParametersRef
	if ref == nil || ref.Namespace == nil || !isEnvoyProxy(ref.Group, ref.Kind) {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: string(*ref.Namespace), Name: ref.Name}
}

func isEnvoyProxy(group gatewayv1.Group, kind gatewayv1.Kind) bool {
	return string(group) == egv1a1.GroupName && string(kind) == egv1a1.KindEnvoyProxy
}
