// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// conditionInfo is the one metric of ours; controller-runtime has those of
// reconciles. The label is the same as the external processor's, and not the
// namespace and name apart: a scrape would overwrite "namespace" with the
// manager's own.
var conditionInfo = prometheus.NewDesc("tars_tarsbackend_condition",
	"Conditions of TarsBackends: 1 for the status and reason that each has now.",
	[]string{"tarsbackend", "type", "status", "reason"}, nil)

// ConditionMetrics shows the conditions of all TarsBackends to Prometheus. It
// reads them when it is asked, so that the series of an object go with it.
// Every manager does, not only the one that acts.
type ConditionMetrics struct {
	// Reader reads from the manager's cache.
	Reader client.Reader
	// Registry is where the metric is while the manager runs.
	Registry prometheus.Registerer
}

// Start implements manager.Runnable. The manager calls it once its cache is
// filled.
func (m *ConditionMetrics) Start(ctx context.Context) error {
	if err := m.Registry.Register(m); err != nil {
		return fmt.Errorf("registering the metric of conditions: %w", err)
	}
	<-ctx.Done()
	m.Registry.Unregister(m)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (m *ConditionMetrics) NeedLeaderElection() bool { return false }

// Describe implements prometheus.Collector.
func (m *ConditionMetrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- conditionInfo
}

// Collect implements prometheus.Collector. An object whose status was not
// written yet has no conditions, and so no series.
func (m *ConditionMetrics) Collect(metrics chan<- prometheus.Metric) {
	backends := &v1alpha1.TarsBackendList{}
	if err := m.Reader.List(context.Background(), backends); err != nil {
		metrics <- prometheus.NewInvalidMetric(conditionInfo, fmt.Errorf("listing TarsBackends: %w", err))
		return
	}
	for i := range backends.Items {
		b := &backends.Items[i]
		for _, c := range b.Status.Conditions {
			metrics <- prometheus.MustNewConstMetric(conditionInfo, prometheus.GaugeValue, 1,
				b.Namespace+"/"+b.Name, c.Type, string(c.Status), c.Reason)
		}
	}
}
