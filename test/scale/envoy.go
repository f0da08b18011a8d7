// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// models is what TARS lists.
const models = `{"object":"list","data":[{"id":"gpt-4o-mini","object":"model"}]}`

// envoy plays every Envoy with its external processors and TARS behind it: it answers
// a canary with what the cluster's objects say at that moment.
type envoy struct {
	cache  client.Reader
	mu     sync.RWMutex
	byPath map[string]client.ObjectKey
	// canaries and probes count those that stayed and those that went to TARS.
	canaries, probes atomic.Int64
}

func startEnvoy(ctx context.Context, mgr ctrl.Manager) (*envoy, error) {
	e := &envoy{cache: mgr.GetClient(), byPath: map[string]client.ObjectKey{}}
	informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.TarsBackend{})
	if err != nil {
		return nil, fmt.Errorf("watching TarsBackends: %w", err)
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: e.learn}); err != nil {
		return nil, fmt.Errorf("watching TarsBackends: %w", err)
	}
	for _, port := range []int{servicePort, envoyPort} {
		listen := net.ListenConfig{}
		l, err := listen.Listen(ctx, "tcp", net.JoinHostPort("0.0.0.0", strconv.Itoa(port)))
		if err != nil {
			return nil, fmt.Errorf("the stub of the Envoys: %w", err)
		}
		server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(l) }() //nolint:errcheck // until the process ends
	}
	return e, nil
}

func (e *envoy) learn(obj any) {
	b, ok := obj.(*v1alpha1.TarsBackend)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.byPath[desired.CanaryPath(b)] = client.ObjectKeyFromObject(b)
}

// ServeHTTP implements http.Handler.
func (e *envoy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.RLock()
	name, ok := e.byPath[r.URL.Path]
	e.mu.RUnlock()
	route, pods := &gatewayv1.HTTPRoute{}, &appsv1.Deployment{}
	if !ok || e.cache.Get(r.Context(), name, route) != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err := e.cache.Get(r.Context(), client.ObjectKey{Namespace: name.Namespace, Name: name.Name + "-extproc"}, pods); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("content-type", "application/json")
	h.Set(config.HeaderConfigHash, pods.Spec.Template.Annotations[v1alpha1.AnnotationConfigHash])
	h.Set(config.HeaderRouteHash, desired.AnnouncedHash(route))
	h.Set(config.HeaderReplica, pods.Name)
	if r.Header.Get(config.HeaderProbe) == "" {
		e.canaries.Add(1)
	} else {
		e.probes.Add(1)
		h.Set(config.HeaderProbe, config.ProbeFromTARS)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(models)) //nolint:errcheck // who hangs up asks again
	}
}
