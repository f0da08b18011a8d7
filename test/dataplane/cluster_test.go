// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"encoding/json"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// clusterLimits are the sizes of a cluster in Envoy's configuration, in bytes.
type clusterLimits struct {
	Name    string `json:"name"`
	Buffer  int64  `json:"per_connection_buffer_limit_bytes"`
	Options map[string]struct {
		HTTP struct {
			HTTP2 struct {
				Stream     int64 `json:"initial_stream_window_size"`
				Connection int64 `json:"initial_connection_window_size"`
			} `json:"http2_protocol_options"`
		} `json:"explicit_http_config"`
	} `json:"typed_extension_protocol_options"`
}

var _ = Describe("The Envoy of these specs", func() {
	It("has the limits for the external processor that the operator asks Envoy Gateway for", func() {
		req, err := http.NewRequest(http.MethodGet, "http://"+world.envoy.Admin+"/config_dump?resource=static_clusters", http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		var dump struct {
			Configs []struct{ Cluster clusterLimits }
		}
		Expect(json.Unmarshal([]byte(send(req).body), &dump)).To(Succeed())
		var processor clusterLimits
		for _, c := range dump.Configs {
			if c.Cluster.Name == "ext_proc/main" {
				processor = c.Cluster
			}
		}
		http2 := processor.Options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"].HTTP.HTTP2
		asked := desired.EnvoyExtensionPolicy(&v1alpha1.TarsBackend{}, nil).Spec.ExtProc[0].BackendSettings
		Expect([]int64{processor.Buffer, http2.Stream, http2.Connection}).To(Equal([]int64{
			asked.Connection.BufferLimit.Value(), asked.HTTP2.InitialStreamWindowSize.Value(), asked.HTTP2.InitialConnectionWindowSize.Value(),
		}))
	})
})
