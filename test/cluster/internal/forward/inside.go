// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ListenInside listens at a TCP address, an IP and a port, of the network
// namespace of a process. The listener may be used, and handed over, from
// anywhere: a socket stays in the namespace that it was made in.
func ListenInside(ctx context.Context, pid int, address string) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and nobody else
		// ever runs in that namespace by mistake.
		runtime.LockOSThread()
		listener, err := listenIn(ctx, fmt.Sprintf("/proc/%d/ns/net", pid), address)
		done <- result{listener, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("listening at %s in the cluster: %w", address, r.err)
	}
	return r.listener, nil
}

func listenIn(ctx context.Context, namespace, address string) (net.Listener, error) {
	file, err := os.Open(namespace)
	if err != nil {
		return nil, err
	}
	err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("entering %s: %w", namespace, err)
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}
