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

// Priorities of events, above that of all others, which is 0. What a restart finds
// comes below it.
const (
	// priorityUnderWay is for what becomes of a TarsBackend's children and canaries:
	// who has begun goes on before another begins. A thousand that are applied at once
	// become Ready one after the other, and not all of them at the end.
	priorityUnderWay = 1
	// priorityKey is for a changed key, which traffic waits for.
	priorityKey = 2
)

// batched passes events about children and of the canary on so late that those that come
// together lead to one reconcile: Envoy Gateway writes the statuses of all children of a
// TarsBackend in a row, and its Envoys answer at one time. No condition waits for it; it
// is the event that comes later.
func batched(h handler.EventHandler) handler.EventHandler {
	return queued(h, priorityUnderWay, batchPause)
}

// queued passes events on with a priority, after a pause.
func queued(h handler.EventHandler, priority int, pause time.Duration) handler.EventHandler {
	as := func(q requests) requests {
		if p, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
			return queue{PriorityQueue: p, priority: priority, pause: pause}
		}
		return q
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requests) { h.Create(ctx, e, as(q)) },
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[client.Object], q requests) {
			h.Update(ctx, e, as(q))
		},
		DeleteFunc:  func(ctx context.Context, e event.DeleteEvent, q requests) { h.Delete(ctx, e, as(q)) },
		GenericFunc: func(ctx context.Context, e event.GenericEvent, q requests) { h.Generic(ctx, e, as(q)) },
	}
}

type requests = workqueue.TypedRateLimitingInterface[reconcile.Request]

// queue adds with a priority, unless the handler gives another, and after a pause. Of
// several times for the same request the earliest counts, and the highest priority.
type queue struct {
	priorityqueue.PriorityQueue[reconcile.Request]

	priority int
	pause    time.Duration
}

// AddWithOpts implements priorityqueue.PriorityQueue.
func (q queue) AddWithOpts(o priorityqueue.AddOpts, items ...reconcile.Request) {
	o.After = max(o.After, q.pause)
	if o.Priority == nil {
		o.Priority = &q.priority
	}
	q.PriorityQueue.AddWithOpts(o, items...)
}

// Add implements workqueue.TypedInterface.
func (q queue) Add(item reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddAfter implements workqueue.TypedDelayingInterface.
func (q queue) AddAfter(item reconcile.Request, pause time.Duration) {
	q.AddWithOpts(priorityqueue.AddOpts{After: pause}, item)
}
