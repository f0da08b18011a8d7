// SPDX-License-Identifier: Apache-2.0

package desired

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

const contentTypeJSON = "application/json"

// Bodies of the answers that Envoy gives without the external processor. The
// shape is OpenAI's. Envoy replaces %REQ(X-REQUEST-ID)%; other percent signs
// would have to be doubled.
const (
	bodyUnprocessed = `{"error":{"message":"The gateway did not process this request, so it was not sent to TARS. ` +
		`The external processor is not in its path: the operator of the gateway finds the cause in the TarsBackend's ` +
		`status. Request id: %REQ(X-REQUEST-ID)%","type":"server_error","param":null,"code":"request_not_processed"}}`
	bodyExtProcDown = `{"error":{"message":"The gateway's external processor is not available, so this request was not ` +
		`sent to TARS. Try again; the operator of the gateway finds the cause in the TarsBackend's condition ` +
		`ExtProcAvailable. Request id: %REQ(X-REQUEST-ID)%","type":"server_error","param":null,"code":"extproc_unavailable"}}`
)

const statusServiceUnavailable = 503

// UnprocessedFilter answers every request that the external processor did not
// let through.
func UnprocessedFilter(b *v1alpha1.TarsBackend) *egv1a1.HTTPRouteFilter {
	return &egv1a1.HTTPRouteFilter{
		TypeMeta:   typeMeta(egv1a1.GroupVersion, "HTTPRouteFilter"),
		ObjectMeta: meta(b, childName(b, suffixUnprocessed)),
		Spec: egv1a1.HTTPRouteFilterSpec{
			DirectResponse: &egv1a1.HTTPDirectResponseFilter{
				ContentType: new(contentTypeJSON),
				StatusCode:  new(statusServiceUnavailable),
				Body:        inline(bodyUnprocessed),
				Header:      errorSourceHeader(),
			},
		},
	}
}

func inline(body string) *egv1a1.CustomResponseBody {
	return &egv1a1.CustomResponseBody{Type: new(egv1a1.ResponseValueTypeInline), Inline: &body}
}

// errorSourceHeader tells that the external processor's layer is in trouble.
func errorSourceHeader() *gatewayv1.HTTPHeaderFilter {
	return &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{
		Name: gatewayv1.HTTPHeaderName(config.HeaderErrorSource), Value: config.ErrorSourceExtProc,
	}}}
}
