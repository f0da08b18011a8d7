// SPDX-License-Identifier: Apache-2.0

// Package manager is the command "tars-operator manager": it turns flags into
// a running controller manager. What the manager does is in controllers.
package manager

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/canary"
)

// LeaderElectionID names the Lease by which one of several managers acts.
const LeaderElectionID = "tars-operator.gateway.tars.dev"

// shutdownTimeout is how long the manager waits for its parts to end; the
// Deployment's terminationGracePeriodSeconds is longer.
const shutdownTimeout = 8 * time.Second

// Scheme has every type that the manager reads or writes.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme,
		gatewayv1.Install, egv1a1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("adding types to the scheme: %w", err)
		}
	}
	return scheme, nil
}

// Process is what the command has of its process.
type Process struct {
	// Version is the operator's, for logs and the user agent.
	Version string
	// Stderr takes logs, help and errors of flags.
	Stderr io.Writer
}

// gcPercent is the manager's GOGC where the environment sets none. Its heap is caches
// for the most part, of which garbage is a small part at any time: half of the usual
// room for it costs a few percent of its CPU time, and saves a quarter of its memory.
const gcPercent = 50

// Run parses the command's arguments and runs the manager until the context
// ends. An error is about the arguments, about the way to the API server, or
// about a part that failed.
func Run(ctx context.Context, args []string, process Process) error {
	o, err := parse(args, process.Stderr)
	if err != nil {
		return err
	}
	o.Version = process.Version
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server (--kubeconfig, KUBECONFIG or the pod's service account): %w", err)
	}
	// They are the whole process's, so only a manager that runs sets them: another one,
	// as tests have, may still be recording its last Event.
	logger := zap.New(zap.UseFlagOptions(&o.zap), zap.WriteTo(process.Stderr))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)

	mgr, err := New(ctx, config, o.Options)
	if err != nil {
		return err
	}
	logger.Info("Starting manager", "version", o.Version, "allowedEndpoints", o.Settings.AllowedEndpoints,
		"gatewayControllerNames", o.Settings.GatewayControllerNames, "extprocImage", o.Settings.ExtProcImage, "namespaces", o.Settings.Namespaces)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

// New makes a manager with the reconciler, the prober and the health checks.
func New(ctx context.Context, config *rest.Config, o Options) (ctrl.Manager, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	cacheOptions, err := controllers.CacheOptions(o.Settings.Namespaces)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.UserAgent = "tars-operator/" + o.Version
	config.QPS = -1 // the API server's priority and fairness limits us
	timeout := shutdownTimeout
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions,
		Metrics:                       metricsOptions(o),
		HealthProbeBindAddress:        o.HealthProbeBindAddress,
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              LeaderElectionID,
		LeaderElectionNamespace:       o.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	prober := canary.New(canary.Options{Logger: mgr.GetLogger().WithName("canary")})
	if err := mgr.Add(prober); err != nil {
		return nil, fmt.Errorf("adding the prober: %w", err)
	}
	if _, err := controllers.NewTarsBackendReconciler(ctx, mgr, prober, o.Settings); err != nil {
		return nil, fmt.Errorf("adding the reconciler: %w", err)
	}
	if err := mgr.Add(&controllers.ConditionMetrics{Reader: mgr.GetClient(), Registry: metrics.Registry}); err != nil {
		return nil, fmt.Errorf("adding the metric of conditions: %w", err)
	}
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("readyz", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding the readiness check: %w", err)
	}
	return mgr, nil
}

// metricsOptions serve metrics to whoever the API server lets read them.
func metricsOptions(o Options) metricsserver.Options {
	m := metricsserver.Options{
		BindAddress:   o.MetricsBindAddress,
		SecureServing: o.MetricsSecure,
		CertDir:       o.MetricsCertPath,
		CertName:      o.MetricsCertName,
		KeyName:       o.MetricsCertKey,
	}
	if o.MetricsSecure {
		m.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	if !o.EnableHTTP2 {
		// Against stream cancellation and rapid reset (CVE-2023-44487, CVE-2023-39325).
		m.TLSOpts = append(m.TLSOpts, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
	}
	return m
}
