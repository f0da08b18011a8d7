// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/cgroup"
	"github.com/tars-operator/tars-operator/test/cluster/internal/host"
)

// endTimeout bounds how long a cluster's processes may take to end after they
// were killed.
const endTimeout = time.Minute

// down ends the cluster and removes every trace of it.
func down(ctx context.Context, e env, args []string) error {
	var verify bool
	rest, err := parse("down", args, func(set *flag.FlagSet) {
		set.BoolVar(&verify, "verify", false, "")
	})
	if err := none("down", rest, err); err != nil {
		return err
	}
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	begin := time.Now()
	if err := e.remove(ctx); err != nil {
		return err
	}
	e.say("cluster %s is removed (%.1f s)", e.layout.Name, time.Since(begin).Seconds())
	if verify {
		return e.verifyRemoved()
	}
	return nil
}

// remove ends all processes of the cluster: by the records of them, then by
// its cgroups, which hold what no record tells. With the last of them the
// kernel ends their namespaces, and so all mounts and interfaces.
func (e env) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	tree, err := cgroup.Open(e.layout.Cgroup())
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 && len(tree.Folders()) > 0 {
		return fmt.Errorf("cluster %s belongs to root: run this as root", e.layout.Name)
	}
	records, err := filepath.Glob(e.forwardRecord("*"))
	if err != nil {
		return err
	}
	for _, record := range append(records, e.file(nodeRecord)) {
		if p, ok := host.Recorded(record); ok {
			if err := p.End(ctx); err != nil {
				return err
			}
		}
	}
	if err := tree.End(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(e.layout.Dir); err != nil {
		return fmt.Errorf("removing the cluster's files: %w", err)
	}
	// Other clusters' files may be there.
	err = os.Remove(filepath.Dir(e.layout.Dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("removing the folder of clusters: %w", err)
	}
	return nil
}

// verifyRemoved fails with a list of all that is left of the cluster.
func (e env) verifyRemoved() error {
	found, err := host.Leftovers("/proc", e.layout.Dir)
	if err != nil {
		return err
	}
	tree, err := cgroup.Open(e.layout.Cgroup())
	if err != nil {
		return err
	}
	for _, folder := range tree.Folders() {
		found = append(found, "the cgroup "+folder)
	}
	if len(found) > 0 {
		return fmt.Errorf("of cluster %s there is left:\n  %s", e.layout.Name, strings.Join(found, "\n  "))
	}
	_, err = fmt.Fprintf(e.out, "nothing is left of cluster %s: no process, mount, namespace, cgroup or file\n", e.layout.Name)
	return err
}

// nodePID is the id, on the host, of the cluster's first process.
func (e env) nodePID() (int, error) {
	p, ok := host.Recorded(e.file(nodeRecord))
	if !ok {
		return 0, fmt.Errorf("cluster %s does not run: test/cluster/cluster up --name %s", e.layout.Name, e.layout.Name)
	}
	return p.PID, nil
}
