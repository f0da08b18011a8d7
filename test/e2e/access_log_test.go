// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// accessLine is one line of the access log of config/samples.
type accessLine struct {
	Status          int    `json:"status"`
	RequestID       string `json:"request_id"`
	Operation       string `json:"gen_ai_operation"`
	RequestedModel  string `json:"requested_model"`
	Model           string `json:"model"`
	InputTokens     int    `json:"input_tokens"`
	OutputTokens    int    `json:"output_tokens"`
	ErrorSource     string `json:"error_source"`
	Traceparent     string `json:"traceparent"`
	DurationMillis  int    `json:"duration_ms"`
	FirstByteMillis *int   `json:"first_byte_ms"`
}

var _ = Describe("The access log of the sample", func() {
	It("tells models and tokens of each request, and nothing of its content", func() {
		const gateway, prompt = "logged", "the words of a prompt"
		b := backend{
			name: "logged", namespace: newNamespace("access-log"), gateway: gateway, prefix: "/logged",
			extra: "models: {allow: [" + chatModel + "], aliases: [{name: fast, model: " + chatModel + "}]}",
		}
		kubectl("apply", "-n", gatewayNamespace, "-f", "config/samples/envoyproxy_access_log.yaml")
		DeferCleanup(func() {
			kubectl("delete", "-n", gatewayNamespace, "--ignore-not-found", "gateway/"+gateway, "envoyproxy/tars-access-log")
		})
		// What the cluster needs is in the EnvoyProxy of the class, which a Gateway
		// with one of its own does not get.
		provider := kubectl("get", "envoyproxy", "-n", "envoy-gateway-system", "local", "-o", "jsonpath={.spec.provider}")
		kubectl("patch", "envoyproxy", "-n", gatewayNamespace, "tars-access-log", "--type=merge", "-p", `{"spec":{"provider":`+provider+`}}`)
		apply(gatewayNamespace, gatewayManifest(gateway)+
			"  infrastructure: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: tars-access-log}}\n")
		apply(b.namespace, b.manifests())
		kubectl("wait", "-n", gatewayNamespace, "--for=condition=Programmed", "gateway/"+gateway, "--timeout=3m")
		waitReady(b.namespace, b.name)
		base := "http://" + forwardGateway(GinkgoT().Context(), gateway) + b.prefix

		served, err := ask(base, chatBody("fast", prompt, false), map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
		Expect(err).NotTo(HaveOccurred())
		Expect(served.Status).To(Equal(http.StatusOK), served.Body)
		var completion struct {
			Usage struct {
				Input  int `json:"prompt_tokens"`
				Output int `json:"completion_tokens"`
			}
		}
		Expect(json.Unmarshal([]byte(served.Body), &completion)).To(Succeed())
		refused, err := ask(base, chatBody(forbidden, prompt, false), nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(refused.Status).To(Equal(http.StatusNotFound), refused.Body)

		envoy := envoyPod(gateway)
		var lines map[string]accessLine
		var text string
		Eventually(func(g Gomega) {
			text = kubectl("logs", "-n", envoy.namespace, envoy.name, "-c", "envoy")
			lines = accessLines(text)
			g.Expect(lines).To(HaveKey(served.Header.Get("x-request-id")))
			g.Expect(lines).To(HaveKey(refused.Header.Get("x-request-id")))
		}).Should(Succeed())
		good := lines[served.Header.Get("x-request-id")]
		Expect(good.FirstByteMillis).NotTo(BeNil())
		Expect([]any{good.Status, good.Operation, good.RequestedModel, good.Model, good.InputTokens, good.OutputTokens, good.ErrorSource}).
			To(Equal([]any{http.StatusOK, "chat", "fast", chatModel, completion.Usage.Input, completion.Usage.Output, ""}))
		Expect(good.Traceparent).To(ContainSubstring("4bf92f3577b34da6a3ce929d0e0e4736"))
		bad := lines[refused.Header.Get("x-request-id")]
		Expect([]any{bad.Status, bad.RequestedModel, bad.InputTokens, bad.ErrorSource}).To(Equal([]any{http.StatusNotFound, forbidden, 0, "client"}))
		Expect(text).NotTo(ContainSubstring(".well-known"), "the canary is left out")
		Expect(text).NotTo(ContainSubstring(prompt))
		Expect(text).NotTo(ContainSubstring(demoKey))
	})
})

// accessLines are the lines of an access log by their request ids.
func accessLines(text string) map[string]accessLine {
	found := map[string]accessLine{}
	for line := range strings.Lines(text) {
		var parsed accessLine
		if json.Unmarshal([]byte(line), &parsed) == nil && parsed.RequestID != "" {
			found[parsed.RequestID] = parsed
		}
	}
	return found
}
