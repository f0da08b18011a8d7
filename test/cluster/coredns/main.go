// SPDX-License-Identifier: Apache-2.0

// Command coredns is CoreDNS with just the plugins that a small cluster uses.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/template"
)

// directives is the order in which plugins see a query.
var directives = []string{"reload", "health", "ready", "errors", "cache", "hosts", "template", "kubernetes"}

func main() {
	dnsserver.Directives = directives
	coremain.Run()
}
