// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/controllers/manager"
)

// operator is the manager's process.
type operator struct {
	cmd *exec.Cmd
	log string
}

// startOperator runs it as the chart does, but outside of the cluster.
func startOperator(ctx context.Context, binary string, c *cluster) (*operator, error) {
	o := &operator{log: filepath.Join(c.folder, "manager.log")}
	out, err := os.Create(o.log)
	if err != nil {
		return nil, fmt.Errorf("a file for the log: %w", err)
	}
	o.cmd = exec.CommandContext(ctx, binary, "manager", "--leader-elect", "--leader-election-namespace=default",
		"--kubeconfig="+c.kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=127.0.0.1:8081",
		"--extproc-image=registry.example.com/tars-operator:scale")
	o.cmd.Stdout, o.cmd.Stderr = out, out
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the manager: %w", err)
	}
	return o, o.leads(ctx, c)
}

// leads waits until it acts: a TarsBackend is not to wait for the manager's start.
func (o *operator) leads(ctx context.Context, c *cluster) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		leases := &coordinationv1.LeaseList{}
		if err := c.api.List(ctx, leases, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return fmt.Errorf("looking for the leader: %w", err)
		}
		for i := range leases.Items {
			if holder := leases.Items[i].Spec.HolderIdentity; leases.Items[i].Name == manager.LeaderElectionID && holder != nil && *holder != "" {
				return nil
			}
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
	return errors.Join(errors.New("the manager does not begin to act"), o.logs())
}

func (o *operator) stop() error {
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the manager: %w", err)
	}
	if err := o.cmd.Wait(); err != nil {
		return errors.Join(fmt.Errorf("the manager ended: %w", err), o.logs())
	}
	return nil
}

// logs are the end of what it has logged, as an error.
func (o *operator) logs() error {
	data, err := os.ReadFile(o.log)
	if err != nil {
		return fmt.Errorf("reading the manager's log: %w", err)
	}
	const most = 4000
	return fmt.Errorf("the manager's log ends: %s", bytes.TrimSpace(data[max(0, len(data)-most):]))
}

// memory are figures of /proc/<pid>/status in MiB.
type memory struct {
	Resident  int64 `json:"residentMiB"`
	Anonymous int64 `json:"anonymousMiB"`
	Peak      int64 `json:"peakMiB"`
}

func (o *operator) memory() (m memory, err error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(o.cmd.Process.Pid), "status"))
	if err != nil {
		return m, fmt.Errorf("reading the manager's memory: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmRSS": &m.Resident, "RssAnon": &m.Anonymous, "VmHWM": &m.Peak}[name]
		if into == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return m, fmt.Errorf("reading %s: %w", name, err)
		}
		*into = kib >> 10
	}
	return m, nil
}

// cpu is the time that it has run.
func (o *operator) cpu() (time.Duration, error) {
	p, err := readProcess(o.cmd.Process.Pid)
	return p.cpu, err
}
