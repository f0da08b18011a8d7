// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// FieldOwner is the field manager of everything that the operator applies.
const FieldOwner = client.FieldOwner("tars-operator")

// conflictPause lets the cache take in what another has written.
const conflictPause = 20 * time.Millisecond

// Settings are what the manager's flags decide for every TarsBackend.
type Settings struct {
	// AllowedEndpoints say which spec.endpoint.hostname may be used: a name,
	// or *.name for its subdomains of any depth.
	AllowedEndpoints []string
	// GatewayControllerNames are the controllerNames of the GatewayClasses
	// that belong to an Envoy Gateway.
	GatewayControllerNames []gatewayv1.GatewayController
	// ExtProcImage is the image of the external processor.
	ExtProcImage string
	// ExtProcImagePullPolicy is its pull policy; empty: Kubernetes' default.
	ExtProcImagePullPolicy corev1.PullPolicy
	// ExtProcImagePullSecrets are the names of the Secrets that pull it for
	// TarsBackends that name none. Each TarsBackend's namespace has its own.
	ExtProcImagePullSecrets []string
	// Namespaces are those whose TarsBackends are looked after; empty: all.
	Namespaces []string
}

// Prober asks the Envoys; controllers/canary has the real one.
type Prober interface {
	// Set says what to ask from now on.
	Set(types.NamespacedName, canary.Plan)
	// Forget ends the asking.
	Forget(types.NamespacedName)
	// Report is what was last seen for exactly this plan, or nil.
	Report(types.NamespacedName, canary.Plan) *conditions.CanaryReport
	// Events wake the reconciler when an outcome changed.
	Events() <-chan event.GenericEvent
}

// TarsBackendReconciler makes the cluster match the TarsBackends. Make one
// with NewTarsBackendReconciler.
type TarsBackendReconciler struct {
	client   client.Client // reads from the manager's cache
	children client.Reader // reads children from their own cache
	direct   client.Reader // reads from the API server
	recorder events.EventRecorder
	prober   Prober
	settings Settings
	platform *platform
	memory   *memory
}

// The permissions that follow become config/rbac/role.yaml. SECURITY.md says
// what each is for.
//
// +kubebuilder:rbac:groups=gateway.tars.dev,resources=tarsbackends,verbs=list;watch;patch
// +kubebuilder:rbac:groups=gateway.tars.dev,resources=tarsbackends/status,verbs=patch
// +kubebuilder:rbac:groups=gateway.tars.dev,resources=tarsbackends/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets;configmaps;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=list
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=list
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=list;watch
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get;list;watch
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways;gatewayclasses,verbs=list;watch
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.envoyproxy.io,resources=backends;httproutefilters;envoyextensionpolicies;backendtrafficpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.envoyproxy.io,resources=envoyproxies,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// scope is one reconcile of one TarsBackend. Phases fill it one after the
// other; each field says which one.
type scope struct {
	backend *v1alpha1.TarsBackend
	// seen is what the conditions are computed from (all phases).
	seen conditions.Observation
	// key is the raw TARS key; it goes nowhere but into the derived Secret
	// (resolve).
	key string
	// authorities are the certificates that the endpoint is trusted by, in PEM;
	// empty: the system's (resolve).
	authorities string
	// revoked: the source Secret is gone, and so is the derived one (resolve).
	revoked bool
	// policy is the EnvoyExtensionPolicy that existed before; nil: none (build).
	policy *egv1a1.EnvoyExtensionPolicy
	// objects are the children that should exist (build).
	objects desired.Objects
	// trust is what an operator before us has verified of this state (observe).
	trust canary.Trust
}

func (s *scope) name() types.NamespacedName { return client.ObjectKeyFromObject(s.backend) }

// phase is one step of a reconcile. It says whether the next one may follow;
// where it may not, the watch on what is missing wakes us.
type phase func(context.Context, *scope) (proceed bool, err error)

// Reconcile brings the children of one TarsBackend and its status up to date.
func (r *TarsBackendReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	backend := &v1alpha1.TarsBackend{}
	if err := r.client.Get(ctx, req.NamespacedName, backend); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading the TarsBackend: %w", err)
	}
	backend, err = r.memory.newest(backend)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !backend.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.finalize(ctx, backend)
	}
	s := &scope{backend: backend, seen: conditions.Observation{Backend: backend}}
	defer func() {
		serr := r.writeStatus(ctx, s, err)
		switch {
		case serr == nil:
		case err == nil && apierrors.IsConflict(serr):
			// Somebody wrote the object meanwhile. That is no failure: the cache has
			// it in a moment.
			result.RequeueAfter = conflictPause
		default:
			if err != nil {
				logf.FromContext(ctx).Error(err, "Reconcile failed before its status could be written")
			}
			err = serr
		}
	}()
	if paused(backend) {
		r.prober.Forget(s.name())
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.run(ctx, s,
		r.resolve,   // spec, Secret, CA, CRDs, Gateways -> scope.key, seen.Parents
		r.build,     // desired.Build -> scope.objects
		r.apply,     // server-side apply, the HTTPRoute last and with its old hash
		r.prune,     // ours and no longer desired
		r.observe,   // children's status -> seen
		r.commit,    // the HTTPRoute's new hash, once all policies are accepted
		r.askEnvoys, // plan for the canary, and its report -> seen.Canary
	)
}

// run goes through the phases until one says stop.
func (r *TarsBackendReconciler) run(ctx context.Context, s *scope, phases ...phase) error {
	for _, step := range phases {
		proceed, err := step(ctx, s)
		if err != nil {
			return err
		}
		if !proceed {
			r.prober.Forget(s.name())
			return nil
		}
	}
	return nil
}

// paused says that a human asked us to keep our hands off.
func paused(b *v1alpha1.TarsBackend) bool {
	return b.Annotations[v1alpha1.AnnotationPaused] == "true"
}

// forget drops what we hold about a TarsBackend that is gone.
func (r *TarsBackendReconciler) forget(name types.NamespacedName) {
	r.prober.Forget(name)
	r.memory.forget(name)
}
