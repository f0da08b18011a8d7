// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"
	"math"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// requestTimeouts are spec.timeouts with the defaults filled in. They are
// passed on as they were written: in Gateway API's form (GEP-2257) a number
// has at most five digits, which another spelling of the same time may exceed.
type requestTimeouts struct {
	connect, streamIdle, request gatewayv1.Duration
}

func timeouts(b *v1alpha1.TarsBackend) requestTimeouts {
	spec := ptr.Deref(b.Spec.Timeouts, v1alpha1.Timeouts{})
	return requestTimeouts{
		connect:    ptr.Deref(spec.Connect, gatewayv1.Duration(v1alpha1.DefaultConnectTimeout.String())),
		streamIdle: ptr.Deref(spec.StreamIdle, gatewayv1.Duration(v1alpha1.DefaultStreamIdleTimeout.String())),
		request:    ptr.Deref(spec.Request, gatewayv1.Duration(v1alpha1.DefaultRequestTimeout.String())),
	}
}

// drainSeconds is spec.extProc.drainTimeout, how long requests may outlive
// their pod's end, rounded up to seconds.
func drainSeconds(b *v1alpha1.TarsBackend) (int64, error) {
	drain, err := drainTimeout(b)
	return int64(math.Ceil(drain.Seconds())), err
}

func drainTimeout(b *v1alpha1.TarsBackend) (metav1.Duration, error) {
	if spec := b.Spec.ExtProc; spec != nil && spec.DrainTimeout != nil {
		return Duration("spec.extProc.drainTimeout", *spec.DrainTimeout)
	}
	return metav1.Duration{Duration: v1alpha1.DefaultDrainTimeout}, nil
}

// LongestStream is how long a request may take: spec.timeouts.request, and
// where that is 0s (none) what spec.extProc.drainTimeout grants a stream.
func LongestStream(b *v1alpha1.TarsBackend) (metav1.Duration, error) {
	request, err := Duration("spec.timeouts.request", timeouts(b).request)
	if err != nil || request.Duration > 0 {
		return request, err
	}
	return drainTimeout(b)
}

// Duration reads the duration of a field, whose name is for the error.
func Duration(field string, d gatewayv1.Duration) (metav1.Duration, error) {
	var parsed metav1.Duration
	if err := parsed.UnmarshalJSON([]byte(strconv.Quote(string(d)))); err != nil {
		return parsed, fmt.Errorf("%s %q is no duration: %w", field, d, err)
	}
	return parsed, nil
}
