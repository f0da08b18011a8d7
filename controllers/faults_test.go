// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// saboteur makes one request to the API server fail, by namespace: the n-th that
// the manager sends about it.
type saboteur struct {
	mu    sync.Mutex
	plans map[string]*sabotage
}

// sabotage is what happens to one request.
type sabotage struct {
	// countdown is how many requests are left before it.
	countdown int
	// only limits the requests to those whose path holds it, and method to those of a
	// method; empty: all.
	only, method string
	// lost: the request is carried out, and its answer is lost.
	lost bool
	// always: all that come after it fail too.
	always bool
	// before: the request is carried out after this.
	before func()
	// code is the status of the answer in place of the API server's; 0: no
	// answer at all.
	code int
	// hit is the request that failed; empty: none yet.
	hit string
}

var sabotaged = &saboteur{plans: map[string]*sabotage{}}

func (s *saboteur) plan(namespace string, p sabotage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[namespace] = &p
}

func (s *saboteur) hit(namespace string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plans[namespace].hit
}

// next is what to do to a request; nil: nothing.
func (s *saboteur) next(r *http.Request) *sabotage {
	if r.URL.Query().Get("watch") == "true" || strings.Contains(r.URL.Path, "/events") {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for namespace, p := range s.plans {
		if (p.hit != "" && !p.always) || !strings.Contains(r.URL.Path, "/namespaces/"+namespace+"/") || !strings.Contains(r.URL.Path, p.only) ||
			(p.method != "" && p.method != r.Method) {
			continue
		}
		p.countdown--
		if p.countdown > 0 {
			return nil
		}
		p.hit = r.Method + " " + r.URL.Path
		return p
	}
	return nil
}

var errAnswerLost = errors.New("the answer was lost")

// fails carries out a sabotage.
func (p *sabotage) fails(r *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	if p.before != nil {
		p.before()
		return send(r)
	}
	if p.lost {
		response, err := send(r)
		if err != nil {
			return nil, err
		}
		return nil, errors.Join(errAnswerLost, response.Body.Close())
	}
	if p.code == 0 {
		return nil, errAnswerLost
	}
	reason := map[int]metav1.StatusReason{
		http.StatusConflict: metav1.StatusReasonConflict, http.StatusForbidden: metav1.StatusReasonForbidden,
		http.StatusGatewayTimeout: metav1.StatusReasonTimeout, http.StatusInternalServerError: metav1.StatusReasonInternalError,
	}[p.code]
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"sabotage","reason":%q,"code":%d}`, reason, p.code)
	return &http.Response{
		StatusCode: p.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewBufferString(body)),
	}, nil
}

// failures are the ways in which a request fails.
var failures = []struct {
	name string
	how  sabotage
}{
	{"a conflict", sabotage{code: http.StatusConflict}},
	{"a timeout", sabotage{code: http.StatusGatewayTimeout}},
	{"forbidden", sabotage{code: http.StatusForbidden}},
	{"an internal error", sabotage{code: http.StatusInternalServerError}},
	{"no answer", sabotage{}},
	{"an answer that is lost on its way", sabotage{lost: true}},
}

// attempts is how many requests of a create, an update and a delete are made to
// fail, one in each world: more than there are, so that the last is one too many.
const attempts = 90

// everyFailure has each request fail in each way (make faults); otherwise each
// fails in one way, another one in each run.
const everyFailure = "TARS_TEST_EVERY_FAILURE"

var _ = Describe("A failure of the API server", func() {
	DescribeTable("in any one request delays a TarsBackend and changes nothing of the outcome", func(ctx SpecContext, first int) {
		chosen := func(n int) sabotage {
			if os.Getenv(everyFailure) != "" {
				return failures[first].how
			}
			return failures[(n+first+int(GinkgoRandomSeed()%int64(len(failures))))%len(failures)].how
		}
		worlds := make([]*world, attempts)
		for n := range worlds {
			worlds[n] = newWorld(ctx)
		}
		lies := watchForLies(ctx, worlds)
		each := func(what string, least int, act func(*world), settled func(g Gomega, w *world)) {
			GinkgoHelper()
			hits := 0
			for n, w := range worlds {
				p := chosen(n)
				p.countdown = n + 1
				sabotaged.plan(w.namespace, p)
				act(w)
			}
			for n, w := range worlds {
				Eventually(func(g Gomega) { settled(g, w) }).WithTimeout(relist).Should(Succeed(),
					"%s with request %d failing: %q", what, n+1, sabotaged.hit(w.namespace))
				if sabotaged.hit(w.namespace) != "" {
					hits++
				}
			}
			GinkgoWriter.Println(what, "takes", hits, "requests at most")
			Expect(hits).To(BeNumerically(">=", least), "requests of a %s", what)
			Expect(hits).To(BeNumerically("<", attempts), "the last request of a %s was reached", what)
		}
		expectPath := func(path string) func(Gomega, *world) {
			return func(g Gomega, w *world) {
				g.Expect(w.condition(ctx, g, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
				g.Expect(w.current(ctx, g).Status.ObservedGeneration).To(Equal(w.current(ctx, g).Generation))
				g.Expect(servedPathOf(ctx, g, w)).To(Equal(path))
				var names []string
				for c := range w.children(ctx, g) {
					names = append(names, nameInContract(c))
				}
				g.Expect(names).To(ConsistOf(childNames()))
				w.expectAsRendered(ctx, g)
			}
		}
		each("create", 25, func(w *world) { w.create(ctx) }, expectPath("/v1"))
		each("update", 10, func(w *world) {
			update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) {
				b.Spec.PathPrefix = "/llm"
				b.Spec.Timeouts = &v1alpha1.Timeouts{StreamIdle: new(gatewayv1.Duration("7m"))}
			})
		}, expectPath("/llm/v1"))
		each("delete", 3, func(w *world) { Expect(w.api.Delete(ctx, w.backend)).To(Succeed()) }, func(g Gomega, w *world) {
			g.Expect(apierrors.IsNotFound(w.get(ctx, named(w, &v1alpha1.TarsBackend{}, w.backend.Name)))).To(BeTrue())
			g.Expect(apierrors.IsNotFound(w.get(ctx, named(w, &gatewayv1.HTTPRoute{}, w.backend.Name)))).To(BeTrue())
		})
		Expect(lies()).To(BeEmpty(), "Ready was True for a generation that was not applied")
	},
		faultEntries(),
	)
})

var _ = It("A status that somebody else wrote meanwhile is written again, which is no error", func(ctx SpecContext) {
	w := newWorld(ctx)
	sabotaged.plan(w.namespace, sabotage{countdown: 2, code: http.StatusConflict, only: "/tarsbackends/tars/status"})
	w.ready(ctx)
	Expect(sabotaged.hit(w.namespace)).NotTo(BeEmpty())
	for line := range strings.Lines(running.logs.String()) {
		Expect(line).NotTo(And(ContainSubstring(w.namespace), ContainSubstring("Reconciler error")))
	}
})

var _ = Describe("Readiness", func() {
	// said tells what a TarsBackend said of Ready in its status, from now on.
	said := func(ctx context.Context, w *world) func() []string {
		GinkgoHelper()
		c, err := client.NewWithWatch(admin, client.Options{Scheme: api.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		events, err := c.Watch(ctx, &v1alpha1.TarsBackendList{}, client.InNamespace(w.namespace))
		Expect(err).NotTo(HaveOccurred())
		var all []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e := range events.ResultChan() {
				if b, ok := e.Object.(*v1alpha1.TarsBackend); ok {
					ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
					all = append(all, string(ready.Status)+" "+ready.Reason)
				}
			}
		}()
		return func() []string {
			events.Stop()
			<-done
			return all
		}
	}
	// spoil takes a label off a child, which only a request to the API server mends.
	spoil := func(ctx SpecContext, w *world) {
		GinkgoHelper()
		patch := []byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`)
		Expect(w.api.Patch(ctx, w.find(ctx, Default, "Service tars-extproc"), client.RawPatch(types.MergePatchType, patch))).To(Succeed())
	}
	mended := func(ctx SpecContext, w *world) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(w.find(ctx, g, "Service tars-extproc").GetLabels()).To(HaveKey("app.kubernetes.io/managed-by"))
		}).Should(Succeed())
	}

	It("stays while one request fails and the next does not", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		ended := said(ctx, w)
		sabotaged.plan(w.namespace, sabotage{method: http.MethodPatch, only: "/services/", code: http.StatusInternalServerError})
		spoil(ctx, w)
		mended(ctx, w)
		Expect(sabotaged.hit(w.namespace)).NotTo(BeEmpty())
		w.expectReady(ctx)
		Expect(ended()).To(HaveEach("True Ready"))
	})
	It("goes while all fail, and comes back", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		sabotaged.plan(w.namespace, sabotage{method: http.MethodPatch, only: "/services/", code: http.StatusInternalServerError, always: true})
		spoil(ctx, w)
		Eventually(func(g Gomega) {
			g.Expect(w.condition(ctx, g, v1alpha1.ConditionReady)).To(And(
				HaveField("Status", metav1.ConditionUnknown), HaveField("Reason", v1alpha1.ReasonReconcileError)))
		}).Should(Succeed())
		sabotaged.plan(w.namespace, sabotage{only: "nothing any more"})
		mended(ctx, w)
		w.expectReady(ctx)
	})
})

// faultEntries are one for each failure, or one for all in turn.
func faultEntries() []TableEntry {
	if os.Getenv(everyFailure) == "" {
		return []TableEntry{Entry("in another way each time", 0)}
	}
	var entries []TableEntry
	for i, f := range failures {
		entries = append(entries, Entry("with "+f.name, i))
	}
	return entries
}

// servedPathOf is the path that the HTTPRoute matches.
func servedPathOf(ctx context.Context, g Gomega, w *world) string {
	route := named(w, &gatewayv1.HTTPRoute{}, w.backend.Name)
	g.Expect(w.get(ctx, route)).To(Succeed())
	return *route.Spec.Rules[0].Matches[0].Path.Value
}

// watchForLies watches TarsBackends. Whenever one says that it is Ready in its
// current generation, the HTTPRoute has to be that of this generation.
func watchForLies(ctx context.Context, worlds []*world) func() []string {
	GinkgoHelper()
	ours := map[string]*world{}
	for _, w := range worlds {
		ours[w.namespace] = w
	}
	c, err := client.NewWithWatch(admin, client.Options{Scheme: api.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	events, err := c.Watch(ctx, &v1alpha1.TarsBackendList{})
	Expect(err).NotTo(HaveOccurred())
	var mu sync.Mutex
	var lies []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range events.ResultChan() {
			b, ok := e.Object.(*v1alpha1.TarsBackend)
			if !ok || e.Type == watch.Deleted || ours[b.Namespace] == nil || b.DeletionTimestamp != nil {
				continue
			}
			ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != b.Generation {
				continue
			}
			route := named(ours[b.Namespace], &gatewayv1.HTTPRoute{}, b.Name)
			want := strings.TrimSuffix(b.Spec.PathPrefix, "/") + "/v1"
			err := api.Get(ctx, client.ObjectKeyFromObject(route), route)
			if apierrors.IsNotFound(err) && deleting(ctx, b) {
				continue
			}
			if err == nil && (*route.Spec.Rules[0].Matches[0].Path.Value == want || newer(ctx, b)) {
				continue
			}
			mu.Lock()
			lies = append(lies, fmt.Sprintf("%s, generation %d: %v", b.Namespace, b.Generation, err))
			mu.Unlock()
		}
	}()
	return func() []string {
		events.Stop()
		<-done
		mu.Lock()
		defer mu.Unlock()
		return lies
	}
}

// newer says that an object was edited since.
func newer(ctx context.Context, b *v1alpha1.TarsBackend) bool {
	now := &v1alpha1.TarsBackend{}
	err := api.Get(ctx, client.ObjectKeyFromObject(b), now)
	return err == nil && now.Generation > b.Generation
}

// deleting says that an object is gone or going.
func deleting(ctx context.Context, b *v1alpha1.TarsBackend) bool {
	now := &v1alpha1.TarsBackend{}
	err := api.Get(ctx, client.ObjectKeyFromObject(b), now)
	return apierrors.IsNotFound(err) || (err == nil && now.DeletionTimestamp != nil)
}
