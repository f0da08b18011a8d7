// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"errors"
	"flag"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const image = "--extproc-image=registry.example.com/tars-operator:v1"

var _ = Describe("The manager's flags", func() {
	It("have the defaults that kubebuilder's users expect", func() {
		o, err := parse([]string{image}, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Expect(o.MetricsBindAddress).To(Equal("0"))
		Expect(o.MetricsSecure).To(BeTrue())
		Expect(o.HealthProbeBindAddress).To(Equal(":8081"))
		Expect(o.LeaderElect).To(BeFalse())
		Expect(o.EnableHTTP2).To(BeFalse())
		Expect(o.MetricsCertName).To(Equal("tls.crt"))
		Expect(o.MetricsCertKey).To(Equal("tls.key"))
		Expect(o.Settings.AllowedEndpoints).To(Equal([]string{"*.tetrate.ai"}))
		Expect(o.Settings.GatewayControllerNames).To(Equal([]gatewayv1.GatewayController{"gateway.envoyproxy.io/gatewayclass-controller"}))
		Expect(o.Settings.ExtProcImage).To(Equal("registry.example.com/tars-operator:v1"))
		Expect(o.Settings.ExtProcImagePullPolicy).To(BeEmpty())
		Expect(o.Settings.ExtProcImagePullSecrets).To(BeEmpty())
		Expect(o.Settings.Namespaces).To(BeEmpty(), "that is all of them")
	})

	It("take lists with commas and repeated, in place of the default", func() {
		o, err := parse([]string{image, "--allowed-endpoints=a.example.com, *.b.example.com", "--allowed-endpoints=c.example.com",
			"--gateway-controller-names=example.com/a,example.com/b", "--extproc-image-pull-policy=Never", "--leader-elect",
			"--extproc-image-pull-secrets=one,two", "--namespaces=team-a,team-b"}, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Expect(o.Settings.AllowedEndpoints).To(Equal([]string{"a.example.com", "*.b.example.com", "c.example.com"}))
		Expect(o.Settings.GatewayControllerNames).To(HaveLen(2))
		Expect(o.Settings.ExtProcImagePullPolicy).To(Equal(corev1.PullNever))
		Expect(o.Settings.ExtProcImagePullSecrets).To(Equal([]string{"one", "two"}))
		Expect(o.Settings.Namespaces).To(Equal([]string{"team-a", "team-b"}))
		Expect(o.LeaderElect).To(BeTrue())
	})

	It("can allow no endpoint at all", func() {
		o, err := parse([]string{image, "--allowed-endpoints="}, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Expect(o.Settings.AllowedEndpoints).To(BeEmpty())
	})

	DescribeTable("are refused, with words that name the flag", func(word string, args ...string) {
		_, err := parse(append([]string{image}, args...), GinkgoWriter)
		Expect(err).To(MatchError(ContainSubstring(word)))
	},
		Entry("a bare *", "--allowed-endpoints", "--allowed-endpoints=*"),
		Entry("a * inside", "--allowed-endpoints", "--allowed-endpoints=a.*.example.com"),
		Entry("a URL", "--allowed-endpoints", "--allowed-endpoints=https://a.example.com"),
		Entry("a controller without a path", "--gateway-controller-names", "--gateway-controller-names=example.com"),
		Entry("a pull policy that there is not", "--extproc-image-pull-policy", "--extproc-image-pull-policy=always"),
		Entry("a pull secret that cannot be", "--extproc-image-pull-secrets", "--extproc-image-pull-secrets=A_B"),
		Entry("a namespace that cannot be", "--namespaces", "--namespaces=a.b"),
		Entry("a flag that there is not", "not defined", "--nonsense"),
		Entry("an argument", "flags only", "nonsense"),
	)

	It("say everything that is wrong at once", func() {
		_, err := parse([]string{"--allowed-endpoints=*", "--extproc-image-pull-policy=x"}, GinkgoWriter)
		Expect(err).To(MatchError(And(ContainSubstring("--extproc-image is required"),
			ContainSubstring("--allowed-endpoints"), ContainSubstring("--extproc-image-pull-policy"))))
	})

	It("are listed by --help", func() {
		var out bytes.Buffer
		_, err := parse([]string{"--help"}, &out)
		Expect(errors.Is(err, flag.ErrHelp)).To(BeTrue())
		for _, name := range []string{"allowed-endpoints", "leader-elect", "zap-log-level", "kubeconfig", "metrics-bind-address"} {
			Expect(out.String()).To(ContainSubstring("-" + name))
		}
	})
})

var _ = Describe("Metrics", func() {
	It("are served to authorized callers only, and without HTTP/2", func() {
		m := metricsOptions(Options{MetricsBindAddress: ":8443", MetricsSecure: true})
		Expect(m.FilterProvider).NotTo(BeNil())
		Expect(m.SecureServing).To(BeTrue())
		Expect(m.TLSOpts).To(HaveLen(1))
		Expect(metricsOptions(Options{MetricsSecure: true, EnableHTTP2: true}).TLSOpts).To(BeEmpty())
	})
})
