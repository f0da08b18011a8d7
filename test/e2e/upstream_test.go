// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

const (
	// noticeTimeout is how long a broken link may go unnoticed where only silence
	// tells of it, healTimeout how long Ready may take after the mend.
	noticeTimeout = 60 * time.Second
	healTimeout   = 15 * time.Second

	linksKey = "sk-key-of-the-links"
	poorKey  = "sk-key-of-a-poor-account"
	// deadPort is a port of the node that drops every packet.
	deadPort = 9998
)

// link is one on the way from an Envoy to TARS.
type link struct {
	condition, reason string
	breaks, mends     func(context.Context)
}

var _ = Describe("The way to TARS", Ordered, ContinueOnFailure, func() {
	b := backend{name: "links", gateway: gatewayName, prefix: "/links"}
	patch := func(spec string) func(context.Context) {
		return func(context.Context) {
			kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":`+spec+`}`)
		}
	}
	healed := patch(`{"endpoint":{"hostname":"api.router.tetrate.ai","port":443,"tls":null}}`)
	treatKey := func(key string, set map[string]string) func(context.Context) {
		return func(ctx context.Context) {
			sum := sha256.Sum256([]byte(key))
			Expect(lab.standIn.Treat(ctx, shared.Rule{
				Next: -1, Path: "/v1/models", Key: "sha256:" + hex.EncodeToString(sum[:4]), Set: set,
			})).To(Succeed())
		}
	}
	treat := func(set map[string]string) func(context.Context) { return treatKey(linksKey, set) }
	normal := func(ctx context.Context) { Expect(lab.standIn.Normal(ctx)).To(Succeed()) }
	key := func(value string) func(context.Context) {
		return func(ctx context.Context) { patchSecret(ctx, b.namespace, b.secretName(), value) }
	}

	BeforeAll(func(ctx SpecContext) {
		Expect(lab.standIn.AddKey(ctx, linksKey)).To(Succeed())
		apply("tarsfake", `---
apiVersion: v1
kind: Service
metadata: {name: closed}
spec:
  ports: [{name: closed, port: 443, targetPort: 1}]
`)
		DeferCleanup(func() { kubectl("delete", "service", "-n", "tarsfake", "closed") })
		selector := kubectl("get", "service", "-n", "tarsfake", "tarsfake", "-o", "jsonpath={.spec.selector}")
		kubectl("patch", "service", "-n", "tarsfake", "closed", "--type=merge", "-p", `{"spec":{"selector":`+selector+`}}`)
		closed := strings.TrimSpace(kubectl("get", "service", "-n", "tarsfake", "closed", "-o", "jsonpath={.spec.clusterIP}"))
		node := strings.TrimSpace(kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}"))
		_, err := lab.Cluster(ctx, "exec", "--name", lab.Name, "iptables", "-I", "INPUT", "-p", "tcp", "--dport", strconv.Itoa(deadPort), "-j", "DROP")
		Expect(err).NotTo(HaveOccurred())
		for _, alias := range []string{"closed.tetrate.ai=" + closed, "dropped.tetrate.ai=" + node} {
			_, err := lab.Cluster(ctx, "alias", "--name", lab.Name, alias)
			Expect(err).NotTo(HaveOccurred())
		}
		b.namespace = newNamespace("links")
		apply(b.namespace, secretManifest(b.secretName(), linksKey)+b.manifest())
		waitReady(b.namespace, b.name)
		ca := kubectl("get", "configmap", "-n", "kube-system", "kube-root-ca.crt", "-o", `jsonpath={.data.ca\.crt}`)
		kubectl("create", "configmap", "-n", b.namespace, "foreign-ca", "--from-literal=ca.crt="+ca)
	}, NodeTimeout(setUpTimeout))

	DescribeTable("is noticed where it breaks, in the right words, and when it is mended", func(ctx SpecContext, l link) {
		eventuallyServed(lab.base + b.prefix)
		DeferCleanup(l.mends) // also where this fails: the next is to begin in good order
		began := time.Now()
		l.breaks(ctx)
		Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(noticeTimeout).Should(Equal(l.reason))
		noticed := time.Since(began)
		Expect(conditionOf(b.namespace, b.name, l.condition)).To(HaveSuffix(" " + l.reason))
		began = time.Now()
		l.mends(ctx)
		Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(healTimeout).Should(Equal("Ready"))
		fmt.Fprintf(os.Stderr, "%s: noticed after %.1f s, Ready %.1f s after the mend\n", l.reason, noticed.Seconds(), time.Since(began).Seconds())
		eventuallyServed(lab.base + b.prefix)
	},
		Entry("a Secret that is gone", link{
			"ResolvedRefs", "SecretNotFound",
			func(context.Context) { kubectl("delete", "secret", "-n", b.namespace, b.secretName()) },
			func(context.Context) { apply(b.namespace, secretManifest(b.secretName(), linksKey)) },
		}),
		Entry("a key that TARS does not know", link{
			"CredentialVerified", "KeyRejected", key("sk-unknown"), key(linksKey),
		}),
		Entry("a key that TARS revokes", link{
			"CredentialVerified", "KeyRejected",
			func(ctx context.Context) { Expect(lab.standIn.RevokeKey(ctx, linksKey)).To(Succeed()) },
			func(ctx context.Context) { Expect(lab.standIn.AddKey(ctx, linksKey)).To(Succeed()) },
		}),
		Entry("an account without credits", link{
			"CredentialVerified", "CreditsExhausted", treat(map[string]string{"error": "402"}), normal,
		}),
		Entry("an error inside a 200, which only a question for a new key meets at once", link{
			"CredentialVerified", "CreditsExhausted",
			func(ctx context.Context) {
				Expect(lab.standIn.AddKey(ctx, poorKey)).To(Succeed())
				treatKey(poorKey, map[string]string{"error": "inside-200"})(ctx)
				key(poorKey)(ctx)
			},
			func(ctx context.Context) {
				normal(ctx)
				key(linksKey)(ctx)
			},
		}),
		Entry("TARS in trouble", link{
			"UpstreamReachable", "UpstreamNotServing", treat(map[string]string{"error": "503"}), normal,
		}),
		Entry("a proxy's page", link{
			"UpstreamReachable", "UnexpectedResponse", treat(map[string]string{"error": "html", "status": "200"}), normal,
		}),
		Entry("another server", link{
			"UpstreamReachable", "NotATarsEndpoint", treat(map[string]string{"error": "404"}), normal,
		}),
		Entry("silence of TARS", link{
			"UpstreamReachable", "UpstreamTimeout", treat(map[string]string{"silent": "true"}), normal,
		}),
		Entry("a name without an address", link{
			"UpstreamReachable", "DNSFailed", patch(`{"endpoint":{"hostname":"nowhere.tetrate.ai"}}`), healed,
		}),
		Entry("a port that refuses", link{
			"UpstreamReachable", "ConnectionRefused", patch(`{"endpoint":{"hostname":"closed.tetrate.ai"}}`), healed,
		}),
		Entry("packets that are dropped", link{
			"UpstreamReachable", "UpstreamTimeout",
			patch(fmt.Sprintf(`{"endpoint":{"hostname":"dropped.tetrate.ai","port":%d}}`, deadPort)), healed,
		}),
		Entry("another authority", link{
			"UpstreamReachable", "TLSFailed",
			patch(`{"endpoint":{"tls":{"validation":{"caCertificateRefs":[{"group":"","kind":"ConfigMap","name":"foreign-ca"}]}}}}`), healed,
		}),
	)

	It("ends where the ConfigMap of its authority is deleted, and goes on where it is spoilt; both are told", func(ctx SpecContext) {
		ca := kubectl("get", "secret", "-n", shared.StandInNamespace, "tarsfake-tls",
			"-o", `go-template={{index .data "ca.crt" | base64decode}}`)
		create := func() { kubectl("create", "configmap", "-n", b.namespace, "own-ca", "--from-literal=ca.crt="+ca) }
		create()
		patch(`{"endpoint":{"tls":{"validation":{"caCertificateRefs":[{"group":"","kind":"ConfigMap","name":"own-ca"}]}}}}`)(ctx)
		waitReady(b.namespace, b.name)
		eventuallyServed(lab.base + b.prefix)
		kubectl("delete", "configmap", "-n", b.namespace, "own-ca")
		Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("CACertificateNotFound"))
		Eventually(func(g Gomega) {
			a, err := ask(lab.base+b.prefix, chatBody(chatModel, "no authority", false), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Status).To(Equal(http.StatusServiceUnavailable), a.Body)
			g.Expect(a.Body).To(ContainSubstring("route_not_ready"))
		}).Should(Succeed())
		create()
		waitReady(b.namespace, b.name)
		eventuallyServed(lab.base + b.prefix)
		kubectl("patch", "configmap", "-n", b.namespace, "own-ca", "--type=merge", "-p", `{"data":{"ca.crt":"no certificate"}}`)
		Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("InvalidCACertificate"))
		Consistently(func(g Gomega) { // Envoy refuses it, and keeps what it had
			a, err := ask(lab.base+b.prefix, chatBody(chatModel, "the old authority", false), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Status).To(Equal(http.StatusOK), a.Body)
		}).WithTimeout(3 * time.Second).Should(Succeed())
		kubectl("delete", "configmap", "-n", b.namespace, "own-ca")
		create()
		waitReady(b.namespace, b.name)
		eventuallyServed(lab.base + b.prefix)
		healed(ctx)
		waitReady(b.namespace, b.name)
	})

	It("tells the models that apps can ask for, and those that the key does not reach", func(ctx SpecContext) {
		patch(`{"models":{"allow":["gpt-4o-mini","gpt-9"]}}`)(ctx)
		Eventually(func() string { return conditionOf(b.namespace, b.name, "ModelsResolved") }).Should(Equal("False ModelsNotFound"))
		Expect(kubectl("get", "tarsbackend", "-n", b.namespace, b.name, "-o", "jsonpath={.status.models}")).
			To(MatchJSON(`{"available":1,"missing":["gpt-9"]}`))
		waitReady(b.namespace, b.name)
		patch(`{"models":null}`)(ctx)
		Eventually(func() string { return conditionOf(b.namespace, b.name, "ModelsResolved") }).Should(Equal("True ModelsResolved"))
	})
})

// conditionOf is a condition's status and reason.
func conditionOf(namespace, name, condition string) string {
	GinkgoHelper()
	return kubectl("get", "tarsbackend", "-n", namespace, name, "-o", fmt.Sprintf(
		`jsonpath={range .status.conditions[?(@.type=="%s")]}{.status} {.reason}{end}`, condition))
}
