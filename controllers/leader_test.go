// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
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
})
