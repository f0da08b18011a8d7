// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// batched passes events on so late that those that come together lead to one
// reconcile: Envoy Gateway writes the statuses of all children of a TarsBackend in a
// row. No condition waits for it; it is the event that comes later.
func batched(h handler.EventHandler) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requests) { h.Create(ctx, e, later(q)) },
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[client.Object], q requests) {
			h.Update(ctx, e, later(q))
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requests) { h.Delete(ctx, e, later(q)) },
	}
}

type requests = workqueue.TypedRateLimitingInterface[reconcile.Request]

// laterQueue adds after a pause. The queue takes the earliest of several times.
type laterQueue struct {
	priorityqueue.PriorityQueue[reconcile.Request]
}

func later(q requests) requests {
	if p, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		return laterQueue{p}
	}
	return q
}

// AddWithOpts implements priorityqueue.PriorityQueue.
func (q laterQueue) AddWithOpts(o priorityqueue.AddOpts, items ...reconcile.Request) {
	o.After = max(o.After, batchPause)
	q.PriorityQueue.AddWithOpts(o, items...)
}

// Add implements workqueue.TypedInterface.
func (q laterQueue) Add(item reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddAfter implements workqueue.TypedDelayingInterface.
func (q laterQueue) AddAfter(item reconcile.Request, pause time.Duration) {
	q.AddWithOpts(priorityqueue.AddOpts{After: pause}, item)
}
