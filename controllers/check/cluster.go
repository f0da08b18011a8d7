// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/manager"
)

// cluster is what a user sees of a cluster; it is a source for surveys.
type cluster struct {
	client client.Client
	// unseen are objects that the user may not read, or whose kind the cluster
	// does not serve, and why.
	unseen map[string]string
	// backends are the TarsBackends that were listed.
	backends []v1alpha1.TarsBackend
}

// connect finds the cluster as kubectl does, and the namespace that the
// context names.
func connect(o options) (*cluster, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("finding the cluster (--kubeconfig, KUBECONFIG, --context): %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("finding the context's namespace: %w", err)
	}
	scheme, err := manager.Scheme()
	if err != nil {
		return nil, "", fmt.Errorf("connecting: %w", err)
	}
	config.QPS = -1 // the API server's priority and fairness limits us
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, "", fmt.Errorf("connecting to %s: %w", config.Host, err)
	}
	return &cluster{client: c, unseen: map[string]string{}}, namespace, nil
}

// list reads the TarsBackends of a namespace, or of all where it is empty.
func (c *cluster) list(ctx context.Context, namespace string) error {
	list := &v1alpha1.TarsBackendList{}
	if err := c.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return refusal(err, "list", namespace)
	}
	c.backends = list.Items
	return nil
}

// get reads one TarsBackend.
func (c *cluster) get(ctx context.Context, name types.NamespacedName) error {
	b := v1alpha1.TarsBackend{}
	if err := c.client.Get(ctx, name, &b); err != nil {
		return refusal(err, "get", name.Namespace)
	}
	c.backends = []v1alpha1.TarsBackend{b}
	return nil
}

// refusal words why TarsBackends cannot be read.
func refusal(err error, verb, namespace string) error {
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("the cluster does not know TarsBackends: install the operator (its chart brings the CRD): %w", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: have the role tarsbackend-viewer bound to you: %w",
			lacking(verb, schema.GroupResource{Group: v1alpha1.SchemeGroupVersion.Group, Resource: "tarsbackends"}, namespace), err)
	default:
		return fmt.Errorf("reading TarsBackends: %w", err)
	}
}

// lacking words a permission that is missing.
func lacking(verb string, resource schema.GroupResource, namespace string) string {
	words := fmt.Sprintf("you lack the permission to %s %s", verb, resource)
	if namespace != "" {
		words += " in namespace " + namespace
	}
	return words
}

// Get reads an object. What the user may not read is noted, and as good as not
// there.
func (c *cluster) Get(ctx context.Context, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	err := c.client.Get(ctx, name, into, opts...)
	if !apierrors.IsForbidden(err) && !meta.IsNoMatchError(err) {
		return err
	}
	kind, kindErr := apiutil.GVKForObject(into, c.client.Scheme())
	if kindErr != nil {
		return fmt.Errorf("finding the kind of %s: %w", name, kindErr)
	}
	resource := schema.GroupResource{Group: kind.Group, Resource: kind.Kind}
	if mapping, err := c.client.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version); err == nil {
		resource = mapping.Resource.GroupResource()
		c.unseen[unseenKey(kind.Kind, name)] = "was not looked at (" + lacking("get", resource, name.Namespace) + ")"
	} else {
		c.unseen[unseenKey(kind.Kind, name)] = "was not looked at (the cluster does not serve " + kind.Kind + ")"
	}
	return apierrors.NewNotFound(resource, name.Name)
}

func unseenKey(kind string, name types.NamespacedName) string { return kind + " " + name.String() }

// Unseen says why an object could not be seen.
func (c *cluster) Unseen(kind string, name types.NamespacedName) string {
	return c.unseen[unseenKey(kind, name)]
}

// TarsBackends are those that were listed.
func (c *cluster) TarsBackends(context.Context, *gatewayv1.Gateway) ([]v1alpha1.TarsBackend, error) {
	return c.backends, nil
}
