// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/controllers/manager"
)

// checkLeader proves that a manager runs: it watches the Lease until its holder
// renews it. Who has just died holds it too, and clocks of nodes differ, so that
// one look would prove nothing.
func checkLeader(ctx context.Context, api client.Client, o options) (string, error) {
	if o.lease == "" {
		return "not looked for: this installation runs without leader election", nil
	}
	name := types.NamespacedName{Namespace: o.lease, Name: manager.LeaderElectionID}
	var first *metav1.MicroTime
	var holder string
	problem := fmt.Errorf("the Lease %s was not read", name)
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		lease := &coordinationv1.Lease{}
		if err := api.Get(ctx, name, lease); err != nil {
			problem = fmt.Errorf("reading Lease %s: %w", name, err)
			return false, nil
		}
		now := ptr.Deref(lease.Spec.HolderIdentity, "")
		switch {
		case now == "" || lease.Spec.RenewTime == nil:
			problem = fmt.Errorf("nobody holds Lease %s", name)
			first, holder = nil, ""
		case first == nil || now != holder:
			problem = fmt.Errorf("the Lease %s is held by %s, who does not renew it", name, now)
			first, holder = lease.Spec.RenewTime, now
		case lease.Spec.RenewTime.After(first.Time):
			return true, nil
		}
		return false, nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: no manager is acting; kubectl get pods --namespace %s --selector control-plane=controller-manager shows them",
			problem, o.lease)
	}
	return fmt.Sprintf("%s holds Lease %s and renews it", holder, name), nil
}
