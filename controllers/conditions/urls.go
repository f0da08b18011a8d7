// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// maxBases is how many base URLs fit the CRD's list, once for each API.
const maxBases = 32

// URLs are what to paste into an SDK: one for each API and each concrete host
// of each listener that takes the route, or each address of the Gateway where
// the listener serves any host. https comes before http, then by name; OpenAI
// before Anthropic.
func URLs(o Observation) []v1alpha1.BaseURL {
	var bases []string
	for _, p := range o.Parents {
		for _, l := range Listeners(p, o.Backend, o.NamespaceLabels) {
			for _, host := range clientHosts(p, l) {
				bases = append(bases, base(l, host))
			}
		}
	}
	slices.SortFunc(bases, func(a, b string) int {
		return cmp.Or(
			-cmp.Compare(scheme(a), scheme(b)),
			cmp.Compare(a, b),
		)
	})
	bases = slices.Compact(bases)
	if len(bases) > maxBases {
		bases = bases[:maxBases]
	}
	prefix := strings.TrimSuffix(o.Backend.Spec.PathPrefix, "/")
	urls := make([]v1alpha1.BaseURL, 0, 2*len(bases))
	for _, b := range bases {
		urls = append(urls, v1alpha1.BaseURL{API: v1alpha1.APIOpenAI, URL: b + prefix + "/v1"})
	}
	for _, b := range bases {
		urls = append(urls, v1alpha1.BaseURL{API: v1alpha1.APIAnthropic, URL: b + prefix})
	}
	return urls
}

// clientHosts are the hosts that a client of a listener can dial. A wildcard
// is none: it does not tell which name leads to the Gateway.
func clientHosts(p Parent, l Listener) []string {
	if len(l.Hosts) == 1 && l.Hosts[0] == AnyHost {
		hosts := addresses(p)
		for i, h := range hosts {
			if strings.Contains(h, ":") {
				hosts[i] = "[" + h + "]"
			}
		}
		return hosts
	}
	return slices.DeleteFunc(slices.Clone(l.Hosts), func(h string) bool { return !IsConcrete(h) })
}

func base(l Listener, host string) string {
	protocol, port := "https", gatewayv1.PortNumber(443)
	if l.Protocol == gatewayv1.HTTPProtocolType {
		protocol, port = "http", 80
	}
	if l.Port == port {
		return protocol + "://" + host
	}
	return fmt.Sprintf("%s://%s:%d", protocol, host, l.Port)
}

func scheme(base string) string {
	before, _, _ := strings.Cut(base, ":")
	return before
}
