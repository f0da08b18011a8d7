// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// hashObjects identifies what Envoy Gateway translates by its content: 16
// hexadecimal digits.
func hashObjects(objects []client.Object) (string, error) {
	sum := sha256.New()
	for _, obj := range objects {
		content, err := json.Marshal(obj)
		if err != nil {
			return "", fmt.Errorf("hashing %s: %w", obj.GetName(), err)
		}
		sum.Write(content)
		sum.Write([]byte{'\n'})
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// annotate puts the hash on the HTTPRoute.
func annotate(route *gatewayv1.HTTPRoute, hash string) {
	route.Annotations = map[string]string{v1alpha1.AnnotationRouteHash: hash}
}
