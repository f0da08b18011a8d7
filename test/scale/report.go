// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// look is how often the cluster is looked at. Each look goes through all TarsBackends.
const look = 500 * time.Millisecond

// settled is how long nothing may have been written before the rest is measured:
// longer than the pause between two questions to an Envoy.
const settled = 12 * time.Second

// giveUp is after how many times the limit there is nothing to be measured any more.
const giveUp = 3

// report are the figures.
type report struct {
	Note       string         `json:"note"`
	Commit     string         `json:"commit"`
	Go         string         `json:"go"`
	CPUs       int            `json:"cpus"`
	Load       string         `json:"loadAverage"`
	Backends   int            `json:"tarsBackends"`
	Namespaces int            `json:"namespaces"`
	Applied    float64        `json:"appliedSeconds"`
	Half       float64        `json:"halfReadySeconds"`
	Ready      float64        `json:"allReadySeconds"`
	CPU        float64        `json:"managerCPUSeconds"`
	Others     map[string]int `json:"othersCPUSeconds"`
	Memory     memory         `json:"managerMemory"`
	Canaries   int64          `json:"canaries"`
	Probes     int64          `json:"probes"`
	Requests   map[string]int `json:"requestsToReady"`
	Rest       float64        `json:"restSeconds"`
	RestCPU    float64        `json:"restCPUSeconds"`
	RestAsked  map[string]int `json:"requestsAtRest"`
	Rotation   float64        `json:"rotationSeconds"`
	Reconciled []string       `json:"reconciledAfterOneSecret"`

	o    options
	from int64 // where the audit log was read to
}

func newReport(o options) *report {
	return &report{
		Note: "Envoy Gateway's statuses, Deployments, Envoys, external processors and TARS are stubs; the API server and the manager are real. " +
			fmt.Sprintf("All share these cores; the API server, etcd and the stubs collect garbage with GOGC=%d.", othersGC),
		Go: runtime.Version(), CPUs: runtime.NumCPU(), Backends: o.backends, Namespaces: o.namespaces, o: o,
	}
}

// apply creates all TarsBackends and waits until all are Ready.
func (r *report) apply(ctx context.Context, c *cluster, p *platform) error {
	began := time.Now()
	created := make(chan error, 1)
	go func() { created <- c.apply(ctx, r.o) }()
	for tick := time.NewTicker(look); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-created:
			if err != nil {
				return err
			}
			r.Applied = time.Since(began).Seconds()
		case <-tick.C:
		}
		ready, waiting, err := p.ready(ctx)
		if err != nil {
			return err
		}
		passed := time.Since(began)
		if r.Half == 0 && ready*2 >= r.Backends {
			r.Half = passed.Seconds()
		}
		if ready == r.Backends {
			r.Ready = passed.Seconds()
			break
		}
		if passed > giveUp*r.o.limit {
			return fmt.Errorf("%d of %d are Ready after %s; one that is not: %s", ready, r.Backends, passed, waiting)
		}
	}
	all, end, err := c.audit(0)
	r.Requests, r.from = counted(all), end
	r.Canaries, r.Probes = p.envoy.canaries.Load(), p.envoy.probes.Load()
	return err
}

// ready counts the TarsBackends that are, and tells of one that is not.
func (p *platform) ready(ctx context.Context) (n int, waiting string, err error) {
	list := &v1alpha1.TarsBackendList{}
	if err := p.cache.List(ctx, list); err != nil {
		return 0, "", fmt.Errorf("listing TarsBackends: %w", err)
	}
	for i := range list.Items {
		b := &list.Items[i]
		c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case c != nil && c.Status == "True" && c.ObservedGeneration == b.Generation:
			n++
		case c != nil:
			waiting = b.Name + ": " + c.Reason + ": " + c.Message
		default:
			waiting = b.Name + ": no status"
		}
	}
	return n, waiting, nil
}

// takeProcess notes what the manager has taken until now.
func (r *report) takeProcess(m *operator) error {
	cpu, err := m.cpu()
	if err != nil {
		return err
	}
	r.CPU = cpu.Seconds()
	if r.Others, err = others(m); err != nil {
		return err
	}
	r.Memory, err = m.memory()
	return err
}

// atRest expects that nothing is written once all is Ready, but the Lease.
func (r *report) atRest(ctx context.Context, c *cluster, m *operator) error {
	if err := r.waitForQuiet(ctx, c); err != nil {
		return err
	}
	before, err := m.cpu()
	if err != nil {
		return err
	}
	if err := pause(ctx, r.o.rest); err != nil {
		return err
	}
	after, err := m.cpu()
	if err != nil {
		return err
	}
	r.Rest, r.RestCPU = r.o.rest.Seconds(), (after - before).Seconds()
	all, end, err := c.audit(r.from)
	r.RestAsked, r.from = counted(all), end
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.writes() && !one.lease() {
			return fmt.Errorf("at rest: %s of %s/%s", one.kind(), one.ObjectRef.Namespace, one.ObjectRef.Name)
		}
	}
	memory, err := m.memory()
	r.Memory.Peak = memory.Peak
	return err
}

// waitForQuiet waits until the manager has written nothing for a while.
func (r *report) waitForQuiet(ctx context.Context, c *cluster) error {
	for deadline := time.Now().Add(r.o.limit); time.Now().Before(deadline); {
		if err := pause(ctx, settled); err != nil {
			return err
		}
		all, end, err := c.audit(r.from)
		if err != nil {
			return err
		}
		r.from = end
		if !slices.ContainsFunc(all, func(one request) bool { return !one.lease() && one.Verb != "watch" }) {
			return nil
		}
	}
	return fmt.Errorf("the manager does not come to rest within %s", r.o.limit)
}

// rotate changes one key, and expects that nobody else is reconciled: each reconcile
// reads its Secret.
func (r *report) rotate(ctx context.Context, c *cluster, p *platform) error {
	place := r.o.place(r.Backends / 2)
	b := &v1alpha1.TarsBackend{}
	if err := p.cache.Get(ctx, place, b); err != nil {
		return fmt.Errorf("reading a TarsBackend: %w", err)
	}
	old := b.Status.Credential.Fingerprint
	changed := secret(place)
	changed.Data["apiKey"] = []byte("sk-rotated")
	began := time.Now()
	if err := c.api.Update(ctx, changed); err != nil {
		return fmt.Errorf("changing a key: %w", err)
	}
	for b.Status.Credential == nil || b.Status.Credential.Fingerprint == old {
		if time.Since(began) > r.o.limit {
			return errors.New("a changed key is not noticed")
		}
		if err := pause(ctx, look/10); err != nil {
			return err
		}
		if err := p.cache.Get(ctx, place, b); err != nil {
			return fmt.Errorf("reading a TarsBackend: %w", err)
		}
	}
	r.Rotation = time.Since(began).Seconds()
	if err := pause(ctx, settled); err != nil {
		return err
	}
	all, end, err := c.audit(r.from)
	r.from = end
	for _, one := range all {
		if one.kind() == "get secrets" && !slices.Contains(r.Reconciled, one.ObjectRef.Namespace+"/"+one.ObjectRef.Name) {
			r.Reconciled = append(r.Reconciled, one.ObjectRef.Namespace+"/"+one.ObjectRef.Name)
		}
	}
	if want := place.String() + "-key"; err == nil && !slices.Equal(r.Reconciled, []string{want}) {
		return fmt.Errorf("after a change of %s these were read: %s", want, strings.Join(r.Reconciled, ", "))
	}
	return err
}

// finish writes the figures, and fails where a limit is broken.
func (r *report) finish(o options) error {
	if commit, err := exec.Command("git", "-C", o.root, "rev-parse", "--short=12", "HEAD").Output(); err == nil {
		r.Commit = strings.TrimSpace(string(commit))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		r.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("the figures: %w", err)
	}
	fmt.Println(string(data))
	fmt.Printf("scale: %d TarsBackends in %d namespaces Ready in %.1f s; manager: %.1f s of CPU, %d MiB resident (%d at most); "+
		"a changed key is served %.2f s later, and reconciles its own TarsBackend alone; at rest nothing is written\n",
		r.Backends, r.Namespaces, r.Ready, r.CPU, r.Memory.Resident, r.Memory.Peak, r.Rotation)
	if o.out != "" {
		if err := os.WriteFile(o.out, append(data, '\n'), 0o600); err != nil {
			return fmt.Errorf("writing the figures: %w", err)
		}
	}
	var broken []error
	if r.Ready > o.limit.Seconds() {
		broken = append(broken, fmt.Errorf("all were Ready after %.1f s, later than %s", r.Ready, o.limit))
	}
	if r.Memory.Peak > o.memory {
		broken = append(broken, fmt.Errorf("the manager took %d MiB, more than %d", r.Memory.Peak, o.memory))
	}
	return errors.Join(broken...)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
