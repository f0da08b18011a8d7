// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/forward"
	"github.com/tars-operator/tars-operator/test/cluster/internal/node"
)

// aliasTimeout bounds how long the cluster's DNS may take to know a name.
const aliasTimeout = 2 * time.Minute

// aliases map names to addresses; the empty one takes a name away.
type aliases map[string]string

// String and Set make aliases a flag that may be given often.
func (a aliases) String() string { return fmt.Sprint(map[string]string(a)) }

// Set takes NAME=IP.
func (a aliases) Set(text string) error {
	name, address, found := strings.Cut(text, "=")
	if !found || name == "" || strings.ContainsAny(name, " \t\n#:") {
		return fmt.Errorf("%q is not of the form NAME=IP", text)
	}
	if _, err := netip.ParseAddr(address); address != "" && err != nil {
		return fmt.Errorf("%q is no IP address", address)
	}
	a[strings.ToLower(strings.TrimSuffix(name, "."))] = address
	return nil
}

// parseHosts reads a file of the form of /etc/hosts.
func parseHosts(content string) aliases {
	a := aliases{}
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		for _, name := range fields[1:] {
			a[name] = fields[0]
		}
	}
	return a
}

// hosts writes them in the form of /etc/hosts.
func (a aliases) hosts() string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if a[name] != "" {
			fmt.Fprintf(&out, "%s %s\n", a[name], name)
		}
	}
	return out.String()
}

// alias gives names to the cluster's DNS.
func alias(ctx context.Context, e env, args []string) error {
	if len(args) == 0 {
		return errors.New("alias takes NAME=IP")
	}
	names := aliases{}
	for _, arg := range args {
		if err := names.Set(arg); err != nil {
			return err
		}
	}
	if _, err := e.nodePID(); err != nil {
		return err
	}
	return e.setAliases(ctx, names)
}

// setAliases adds names to those that are there, and waits until the DNS
// answers as told.
func (e env) setAliases(ctx context.Context, names aliases) error {
	if len(names) == 0 {
		return nil
	}
	const configMap = "configmap/coredns"
	before, err := e.kubectl(ctx, "get", "--namespace", "kube-system", configMap, "-o", "jsonpath={.data.hosts}")
	if err != nil {
		return err
	}
	all := parseHosts(before)
	maps.Copy(all, names)
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"hosts": all.hosts()}})
	if err != nil {
		return err
	}
	if _, err := e.kubectl(ctx, "patch", "--namespace", "kube-system", configMap, "--type=merge", "--patch", string(patch)); err != nil {
		return err
	}
	// A change of the pod makes the kubelet look at its volumes at once.
	if _, err := e.kubectl(ctx, "annotate", "--namespace", "kube-system", "pods", "--selector=k8s-app=kube-dns", "--overwrite",
		"tars-operator/hosts="+time.Now().Format("150405.000000")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := e.waitForName(ctx, name, names[name]); err != nil {
			return fmt.Errorf("waiting for the cluster's DNS to know %s: %w", name, err)
		}
	}
	return nil
}

func (e env) waitForName(ctx context.Context, name, address string) error {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := forward.Dial(ctx, e.layout.DialSocket(), net.JoinHostPort(node.DNSAddress, "53"))
		// Without its other methods it is taken for a stream, as TCP is.
		return struct{ net.Conn }{conn}, err
	}}
	return waitFor(ctx, aliasTimeout, func(ctx context.Context) (bool, error) {
		found, err := resolver.LookupHost(ctx, name+".")
		if address == "" {
			var missing *net.DNSError
			if errors.As(err, &missing) && missing.IsNotFound {
				return true, nil
			}
			return false, fmt.Errorf("it is still %v (%w)", found, err)
		}
		if err == nil && !slices.Contains(found, address) {
			err = fmt.Errorf("it is still %v", found)
		}
		return false, err
	})
}
