// SPDX-License-Identifier: Apache-2.0

package desired

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/extproc/config"
)

const contentTypeJSON = "application/json"

// bodyExtProcDown is the answer that Envoy gives when it cannot ask the external
// processor. It has OpenAI's shape and, by its type, Anthropic's. Envoy replaces
// %REQ(X-REQUEST-ID)%; other percent signs would have to be doubled.
const bodyExtProcDown = `{"type":"error","error":{"message":"The gateway's external processor is not available, so this request was not ` +
	`sent to TARS. Try again; the operator of the gateway finds the cause in the TarsBackend's condition ` +
	`ExtProcAvailable. Request id: %REQ(X-REQUEST-ID)%","type":"server_error","param":null,"code":"extproc_unavailable"}}`

const statusServiceUnavailable = 503

func inline(body string) *egv1a1.CustomResponseBody {
	return &egv1a1.CustomResponseBody{Type: new(egv1a1.ResponseValueTypeInline), Inline: &body}
}

// errorSourceHeader tells that the external processor's layer is in trouble.
func errorSourceHeader() *gatewayv1.HTTPHeaderFilter {
	return &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{
		Name: gatewayv1.HTTPHeaderName(config.HeaderErrorSource), Value: config.ErrorSourceExtProc,
	}}}
}
