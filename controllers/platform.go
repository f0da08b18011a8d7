// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// oldestEnvoyGateway is the first release whose CRDs have all that we write.
const oldestEnvoyGateway = "1.9.1"

// platformCRDs are the CRDs that we cannot work without, and the version of
// each that we speak.
func platformCRDs() map[string]schema.GroupVersionKind {
	return map[string]schema.GroupVersionKind{
		"gatewayclasses.gateway.networking.k8s.io":     gatewayAPI.WithKind("GatewayClass"),
		"gateways.gateway.networking.k8s.io":           gatewayAPI.WithKind("Gateway"),
		"httproutes.gateway.networking.k8s.io":         kindHTTPRoute,
		"backends.gateway.envoyproxy.io":               kindBackend,
		"httproutefilters.gateway.envoyproxy.io":       egv1a1.GroupVersion.WithKind("HTTPRouteFilter"),
		"backendtrafficpolicies.gateway.envoyproxy.io": kindTrafficPolicy,
		extensionPolicyCRD:                             kindExtension,
	}
}

const extensionPolicyCRD = "envoyextensionpolicies.gateway.envoyproxy.io"

// platform knows whether the Gateway API and Envoy Gateway are installed. The
// manager runs without them: it starts their watches once the CRDs appear.
type platform struct {
	client client.Client // CRDs' metadata, from the cache
	direct client.Reader // whole CRDs
	// startWatches starts every watch that needs these CRDs. It is called
	// until it has succeeded once.
	startWatches func(context.Context) error
	// stopWatches ends them.
	stopWatches func(context.Context) error

	mu       sync.Mutex
	watching bool
	// watched are the UIDs of the CRDs whose objects are being watched.
	watched map[string]types.UID
	// judged is the resourceVersion of the EnvoyExtensionPolicy's CRD that
	// lacking was computed from: it is read whole only when it has changed.
	judged  string
	lacking []string
}

// check finds out what is missing, and starts the watches when nothing is.
func (p *platform) check(ctx context.Context) (*conditions.Finding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	present, absent, err := p.look(ctx)
	if err != nil {
		return nil, err
	}
	if p.watching && !maps.Equal(present, p.watched) {
		// The API server leaves the watches on a CRD that was deleted open for
		// minutes, and they tell nothing about the one that came after it.
		if err := p.stopWatches(ctx); err != nil {
			return nil, err
		}
		p.watching = false
	}
	if len(absent) > 0 {
		return &conditions.Finding{
			Reason: v1alpha1.ReasonEnvoyGatewayNotInstalled,
			Message: fmt.Sprintf("the cluster lacks CRDs of the Gateway API or Envoy Gateway (%s): install Envoy Gateway %s or newer",
				strings.Join(absent, ", "), oldestEnvoyGateway),
		}, nil
	}
	if err := p.judgeFields(ctx); err != nil {
		return nil, err
	}
	if len(p.lacking) > 0 {
		return &conditions.Finding{
			Reason: v1alpha1.ReasonEnvoyGatewayTooOld,
			Message: fmt.Sprintf("the CRD %s lacks %s: upgrade Envoy Gateway, CRDs included, to %s or newer",
				extensionPolicyCRD, strings.Join(p.lacking, " and "), oldestEnvoyGateway),
		}, nil
	}
	return p.watch(ctx, present)
}

// started says whether HTTPRoutes and their like are being watched.
func (p *platform) started() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.watching
}

// look finds the CRDs: the UIDs of those that are there, and the names of
// those that are not, sorted.
func (p *platform) look(ctx context.Context) (present map[string]types.UID, absent []string, err error) {
	present = map[string]types.UID{}
	for name := range platformCRDs() {
		crd := &metav1.PartialObjectMetadata{}
		crd.SetGroupVersionKind(kindCRD)
		err := p.client.Get(ctx, types.NamespacedName{Name: name}, crd)
		switch {
		case apierrors.IsNotFound(err) || (err == nil && crd.DeletionTimestamp != nil):
			absent = append(absent, name)
		case err != nil:
			return nil, nil, attempt(err, "reading CustomResourceDefinition %s", name)
		default:
			present[name] = crd.UID
		}
	}
	slices.Sort(absent)
	return present, absent, nil
}

// judgeFields looks for the fields that came last into what we write.
func (p *platform) judgeFields(ctx context.Context) error {
	known := &metav1.PartialObjectMetadata{}
	known.SetGroupVersionKind(kindCRD)
	name := types.NamespacedName{Name: extensionPolicyCRD}
	if err := p.client.Get(ctx, name, known); err != nil {
		return attempt(err, "reading CustomResourceDefinition %s", extensionPolicyCRD)
	}
	if p.judged == known.ResourceVersion {
		return nil
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := p.direct.Get(ctx, name, crd); err != nil {
		return attempt(err, "reading CustomResourceDefinition %s", extensionPolicyCRD)
	}
	p.lacking = lackingFields(crd)
	// Not crd.ResourceVersion: if that is newer, its event is still to come
	// and is worth another look.
	p.judged = known.ResourceVersion
	return nil
}

// lackingFields names what an EnvoyExtensionPolicy CRD does not know.
func lackingFields(crd *apiextensionsv1.CustomResourceDefinition) []string {
	i := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == kindExtension.Version && v.Served
	})
	if i < 0 || crd.Spec.Versions[i].Schema == nil || crd.Spec.Versions[i].Schema.OpenAPIV3Schema == nil {
		return []string{"version " + kindExtension.Version}
	}
	spec := crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"]
	var lacking []string
	if _, ok := spec.Properties["mergeType"]; !ok {
		lacking = append(lacking, "spec.mergeType")
	}
	items := spec.Properties["extProc"].Items
	if items == nil || items.Schema == nil || !hasProperty(items.Schema, "statusOnError") {
		lacking = append(lacking, "spec.extProc[].statusOnError")
	}
	return lacking
}

func hasProperty(s *apiextensionsv1.JSONSchemaProps, name string) bool {
	_, ok := s.Properties[name]
	return ok
}

// watch starts the watches once, as soon as the API server serves every kind.
func (p *platform) watch(ctx context.Context, present map[string]types.UID) (*conditions.Finding, error) {
	if p.watching {
		return nil, nil
	}
	for name, kind := range platformCRDs() {
		_, err := p.client.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			// Retried, because discovery follows a CRD without an event.
			return &conditions.Finding{
				Reason: v1alpha1.ReasonEnvoyGatewayNotInstalled,
				Message: fmt.Sprintf("the API server does not serve version %s of CRD %s: install Envoy Gateway %s or newer",
					kind.Version, name, oldestEnvoyGateway),
			}, fmt.Errorf("waiting for the API server to serve %s: %w", kind.Kind, err)
		}
		if err != nil {
			return nil, attempt(err, "looking for kind %s", kind.Kind)
		}
	}
	if err := p.startWatches(ctx); err != nil {
		return nil, err
	}
	p.watching, p.watched = true, present
	return nil, nil
}
