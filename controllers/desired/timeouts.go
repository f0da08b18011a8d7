// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"strconv"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// requestTimeouts are spec.timeouts with the defaults filled in, as Gateway
// API durations.
type requestTimeouts struct {
	connect, streamIdle, request gatewayv1.Duration
}

func timeouts(b *v1alpha1.TarsBackend) (requestTimeouts, error) {
	spec := b.Spec.Timeouts
	if spec == nil {
		spec = &v1alpha1.Timeouts{}
	}
	connect, err := duration("timeouts.connect", spec.Connect, v1alpha1.DefaultConnectTimeout)
	if err != nil {
		return requestTimeouts{}, err
	}
	streamIdle, err := duration("timeouts.streamIdle", spec.StreamIdle, v1alpha1.DefaultStreamIdleTimeout)
	if err != nil {
		return requestTimeouts{}, err
	}
	request, err := duration("timeouts.request", spec.Request, v1alpha1.DefaultRequestTimeout)
	if err != nil {
		return requestTimeouts{}, err
	}
	return requestTimeouts{connect: render(connect), streamIdle: render(streamIdle), request: render(request)}, nil
}

// render writes a duration in Gateway API's form (GEP-2257), which knows
// neither fractions nor signs.
func render(d time.Duration) gatewayv1.Duration {
	if d%time.Second == 0 {
		return gatewayv1.Duration(strconv.FormatInt(int64(d/time.Second), 10) + "s")
	}
	return gatewayv1.Duration(strconv.FormatInt(d.Milliseconds(), 10) + "ms")
}
