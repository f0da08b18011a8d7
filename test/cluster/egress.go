// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/forward"
	"github.com/tars-operator/tars-operator/test/cluster/internal/host"
	"github.com/tars-operator/tars-operator/test/cluster/internal/node"
)

// egress makes one port of one host outside reachable for pods, by its name.
func egress(ctx context.Context, e env, args []string) error {
	var via string
	rest, err := parse("egress", args, func(set *flag.FlagSet) { set.StringVar(&via, "via", "", "") })
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("egress takes a target outside (HOST:PORT)")
	}
	target := rest[0]
	name, port, err := net.SplitHostPort(target)
	if err != nil || name == "" {
		return fmt.Errorf("%q is no target of the form HOST:PORT", target)
	}
	if net.ParseIP(name) != nil {
		return fmt.Errorf("%s is an address: egress takes a name, by which pods find it", name)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q is no port", port)
	}
	if via == "" {
		via = target
	}
	return e.addEgress(ctx, name, port, via)
}

func (e env) addEgress(ctx context.Context, name, port, via string) error {
	pid, err := e.nodePID()
	if err != nil {
		return err
	}
	// Said now, where somebody reads it, rather than by connections that end.
	if err := tryWayOut(ctx, via); err != nil {
		return err
	}
	record := e.file("egress-" + port + ".json")
	if p, ok := host.Recorded(record); ok {
		if err := p.End(ctx); err != nil {
			return err
		}
	}
	listener, err := forward.ListenInside(ctx, pid, net.JoinHostPort(node.Address, port))
	if err != nil {
		return err
	}
	way := handover{command: "internal-egress", target: via, record: record, log: "egress-" + port + ".log"}
	if err := e.handOver(listener, way); err != nil {
		return err
	}
	return e.setAliases(ctx, aliases{name: node.Address})
}

// wayOutTimeout bounds the look whether there is a way out.
const wayOutTimeout = 2 * time.Second

// tryWayOut says whether this machine reaches a target (host:port).
func tryWayOut(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, wayOutTimeout)
	defer cancel()
	outside, err := forward.DialOut(ctx, target)
	if err != nil {
		return fmt.Errorf("this machine has no way to %s (behind a proxy, set HTTPS_PROXY): %w", target, err)
	}
	return outside.Close()
}

// runEgress serves the listener that it was started with.
func runEgress(ctx context.Context, e env, args []string) error {
	return e.takeOver(func(listener net.Listener) error { return forward.ServeOut(ctx, listener, args[0]) })
}
