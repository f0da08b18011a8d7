// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/manager"
)

var _ = Describe("Of two managers", Serial, func() {
	It("only the leader acts, and the other takes over when it goes in the middle of changes", func(ctx SpecContext) {
		worlds := make([]*world, 5)
		for i := range worlds {
			worlds[i] = newWorld(ctx).ready(ctx)
		}
		standby := launchManager(asUser, prober)
		Consistently(standby.elected).ShouldNot(BeClosed())
		for _, w := range worlds {
			Expect(standby.requests.about(w.namespace)).To(BeEmpty())
		}

		for round := range 4 {
			for _, w := range worlds {
				update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.PathPrefix = fmt.Sprintf("/round-%d", round) })
			}
			if round == 1 {
				running.stop()
			}
		}
		old := running
		written := map[string]int{}
		for _, w := range worlds {
			written[w.namespace] = len(old.requests.about(w.namespace))
		}
		Eventually(standby.elected).Should(BeClosed())
		running = standby
		for _, w := range worlds {
			Eventually(func(g Gomega) { g.Expect(servedPathOf(ctx, g, w)).To(Equal("/round-3/v1")) }).Should(Succeed())
			w.expectReady(ctx)
			Expect(old.requests.about(w.namespace)).To(HaveLen(written[w.namespace]), "the old leader writes nothing more")
		}
	})

	It("the other takes over when the leader dies with the Lease in its hands, once that has run out, and writes alone", func(ctx SpecContext) {
		const leaseDuration = 4 * time.Second
		shortLease := func(o *ctrl.Options) {
			o.LeaseDuration, o.RenewDeadline, o.RetryPeriod = new(leaseDuration), new(3*time.Second), new(500*time.Millisecond)
		}
		running.stop()
		leader := launchManagerWith(asUser, prober, shortLease)
		Eventually(leader.elected).Should(BeClosed())
		DeferCleanup(func() { running = startManager(asUser, prober) })
		worlds := make([]*world, 3)
		for i := range worlds {
			worlds[i] = newWorld(ctx).ready(ctx)
		}
		standby := launchManagerWith(asUser, prober, shortLease)
		DeferCleanup(func() { standby.stop() })
		Consistently(standby.elected).ShouldNot(BeClosed())

		for _, w := range worlds {
			update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.PathPrefix = "/late" })
		}
		leader.die()
		died := time.Now()
		holder := leaseHolder(ctx)
		Expect(holder).NotTo(BeEmpty(), "it did not give the Lease up")
		written := map[string]int{}
		for _, w := range worlds {
			written[w.namespace] = len(leader.requests.about(w.namespace))
			Expect(standby.requests.about(w.namespace)).To(BeEmpty(), "it does not act before")
		}
		Eventually(standby.elected).WithTimeout(10 * leaseDuration).Should(BeClosed())
		// The leader renewed the Lease half a second before it died, at the earliest.
		Expect(time.Since(died)).To(BeNumerically(">", leaseDuration-2*time.Second), "as long as it could still act")
		Expect(leaseHolder(ctx)).NotTo(Equal(holder))
		for _, w := range worlds {
			Eventually(func(g Gomega) { g.Expect(servedPathOf(ctx, g, w)).To(Equal("/late/v1")) }).Should(Succeed())
			w.expectReady(ctx)
			Expect(leader.requests.about(w.namespace)).To(HaveLen(written[w.namespace]), "the dead leader writes nothing")
		}
	})
})

// leaseHolder is who holds the Lease.
func leaseHolder(ctx context.Context) string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: leaderElectionNamespace, Name: manager.LeaderElectionID}}
	Expect(api.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
