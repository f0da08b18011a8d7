// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

var _ = Describe("The metric of conditions", func() {
	var (
		registry *prometheus.Registry
		api      client.WithWatch
		failure  error
		stop     context.CancelFunc
		ended    chan error
	)

	series := func() []string {
		families, err := registry.Gather()
		Expect(err).NotTo(HaveOccurred())
		var found []string
		for _, family := range families {
			for _, one := range family.GetMetric() {
				var labels []string
				for _, label := range one.GetLabel() {
					labels = append(labels, label.GetName()+"="+label.GetValue())
				}
				found = append(found, fmt.Sprintf("%s %s %v", family.GetName(), strings.Join(labels, " "), one.GetGauge().GetValue()))
			}
		}
		return found
	}

	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason}
	}

	BeforeEach(func() {
		scheme := runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
		failure = nil
		api = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.TarsBackend{}).Build(),
			interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				return errors.Join(failure, c.List(ctx, list, opts...))
			}})
		registry = prometheus.NewRegistry()
		var running context.Context
		running, stop = context.WithCancel(context.Background())
		over := make(chan error, 1)
		ended = over
		m := &ConditionMetrics{Reader: api, Registry: registry}
		Expect(m.NeedLeaderElection()).To(BeFalse(), "the manager that is scraped need not be the one that acts")
		// Not through ended, which is the next spec's by the time that this one ends.
		go func() { over <- m.Start(running) }()
		DeferCleanup(stop)
	})

	It("has one series for each condition, which follows it and goes with its object", func(ctx SpecContext) {
		backend := &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars"}}
		Expect(api.Create(ctx, backend)).To(Succeed())
		Expect(series()).To(BeEmpty(), "no status was written yet")

		backend.Status.Conditions = []metav1.Condition{
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound),
			condition(v1alpha1.ConditionProgrammed, metav1.ConditionUnknown, v1alpha1.ReasonPending),
		}
		Expect(api.Status().Update(ctx, backend)).To(Succeed())
		Eventually(series).Should(ConsistOf(
			"tars_tarsbackend_condition reason=SecretNotFound status=False tarsbackend=team/tars type=Ready 1",
			"tars_tarsbackend_condition reason=Pending status=Unknown tarsbackend=team/tars type=Programmed 1",
		))

		backend.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)}
		Expect(api.Status().Update(ctx, backend)).To(Succeed())
		Expect(series()).To(ConsistOf("tars_tarsbackend_condition reason=Ready status=True tarsbackend=team/tars type=Ready 1"))

		Expect(api.Delete(ctx, backend)).To(Succeed())
		Expect(series()).To(BeEmpty())
	})

	It("fails the scrape where the conditions are not known, and goes with the manager", func() {
		failure = errors.New("no cache")
		Eventually(func() error { _, err := registry.Gather(); return err }).
			Should(MatchError(ContainSubstring("listing TarsBackends: no cache")), "no series would say that there is no TarsBackend")
		stop()
		Eventually(ended).Should(Receive(BeNil()))
		Expect(series()).To(BeEmpty())
	})
})
