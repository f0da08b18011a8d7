// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Upstream is what the probe of TARS through each Envoy needs.
type Upstream struct {
	// Identity tells the key, the endpoint and the authorities it is trusted by
	// apart from any others: what is known of one is not known of another.
	Identity string
	// PassToken signs the tickets by which a canary is let through to TARS.
	PassToken string
	// Verify says that the key is to be verified, each Interval.
	Verify   bool
	Interval time.Duration
	// Endpoint is "host:port", CA the PEM certificates that it is trusted by;
	// empty: the system's. For the operator's own look at it.
	Endpoint, CA string
	// Private allows that look to lead to private addresses: an administrator
	// allowed this very host name.
	Private bool
}

// UpstreamIdentity makes an Identity. It holds no secret: the fingerprint is
// public.
func UpstreamIdentity(fingerprint, endpoint, ca string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", fingerprint, endpoint, ca))
	return hex.EncodeToString(sum[:8])
}

// markUpstream chooses one target of each Envoy of a Gateway to ask TARS through:
// all its listeners share the way to TARS. Plain HTTP comes first, for it cannot
// be in the way. Targets are sorted.
func markUpstream(targets []Target) {
	chosen := map[[2]string]int{}
	for i, t := range targets {
		if t.Service != "" {
			continue
		}
		envoy := [2]string{t.Gateway, t.Envoy}
		if other, ok := chosen[envoy]; !ok || (targets[other].TLS && !t.TLS) {
			chosen[envoy] = i
		}
	}
	for _, i := range chosen {
		targets[i].Upstream = true
	}
}

// compareBool puts false first.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
