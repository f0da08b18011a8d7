// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var _ = Describe("The queue", func() {
	object := func(name string) client.Object {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
	}

	changed := func(name string) event.UpdateEvent {
		now := object(name)
		now.SetResourceVersion("2")
		return event.UpdateEvent{ObjectOld: object(name), ObjectNew: now}
	}

	It("has the changed key first, then who is under way, then who begins, and last what a restart finds", func() {
		q := priorityqueue.New[reconcile.Request]("of the test")
		DeferCleanup(q.ShutDown)
		ctx, plain := context.Background(), &handler.EnqueueRequestForObject{}
		plain.Create(ctx, event.CreateEvent{Object: object("begins")}, q)
		batched(plain).Create(ctx, event.CreateEvent{Object: object("found"), IsInInitialList: true}, q)
		queued(plain, priorityUnderWay, 0).Generic(ctx, event.GenericEvent{Object: object("canary")}, q)
		batched(plain).Update(ctx, changed("child"), q)
		batched(plain).Delete(ctx, event.DeleteEvent{Object: object("gone")}, q)
		queued(plain, priorityKey, 0).Update(ctx, changed("key"), q)
		Eventually(q.Len).Should(Equal(6), "after the pause of those of children")
		var names []string
		var priorities []int
		for range 6 {
			item, priority, _ := q.GetWithPriority()
			names, priorities = append(names, item.Name), append(priorities, priority)
		}
		Expect(priorities).To(Equal([]int{priorityKey, priorityUnderWay, priorityUnderWay, priorityUnderWay, 0, handler.LowPriority}))
		Expect(names).To(HaveExactElements("key", "canary", Or(Equal("child"), Equal("gone")), Or(Equal("child"), Equal("gone")), "begins", "found"))
	})
})
