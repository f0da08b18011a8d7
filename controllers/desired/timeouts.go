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
	drain := metav1.Duration{Duration: v1alpha1.DefaultDrainTimeout}
	if spec := b.Spec.ExtProc; spec != nil && spec.DrainTimeout != nil {
		if err := drain.UnmarshalJSON([]byte(strconv.Quote(string(*spec.DrainTimeout)))); err != nil {
			return 0, fmt.Errorf("spec.extProc.drainTimeout %q is no duration: %w", *spec.DrainTimeout, err)
		}
	}
	return int64(math.Ceil(drain.Seconds())), nil
}
