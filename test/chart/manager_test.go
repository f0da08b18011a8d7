// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The program of this checkout runs with the arguments that the chart gives it,
// as the ServiceAccount that the chart makes: flags, probes and permissions are
// then known to fit.
var _ = Describe("The manager that the chart runs", Ordered, func() {
	var (
		cluster *testCluster
		running *managerProcess
		binary  string
	)

	BeforeAll(func(ctx SpecContext) {
		cluster = startCluster()
		cluster.makeNamespace(ctx)
		port := freePort()
		v := values{"metrics": values{"port": port}, "manager": values{"args": []any{"--zap-log-level=debug"}}}
		cluster.install(v)
		cluster.expectServed(ctx)
		binary = buildOperator(ctx)
		running = cluster.run(ctx, binary, decode(helmTemplate(v)))
		running.metrics = "https://127.0.0.1:" + strconv.Itoa(port) + "/metrics"
	}, NodeTimeout(buildTimeout))

	It("passes the probes", func(ctx SpecContext) {
		for _, probe := range []*corev1.Probe{running.container.LivenessProbe, running.container.ReadinessProbe} {
			Eventually(func() (int, error) { return get(ctx, running.health+probe.HTTPGet.Path, "") }).
				WithTimeout(settleTimeout).WithPolling(pollInterval).Should(Equal(http.StatusOK))
		}
	})

	It("becomes the leader", func(ctx SpecContext) {
		Eventually(func() (string, error) { return cluster.leader(ctx) }).
			WithTimeout(settleTimeout).WithPolling(pollInterval).ShouldNot(BeEmpty())
	})

	It("looks after a TarsBackend", func(ctx SpecContext) {
		backend := kustomizeBuild("samples").kind("TarsBackend")[0]
		backend.SetNamespace("default")
		Expect(cluster.api.Apply(ctx, client.ApplyConfigurationFromUnstructured(backend), owner)).To(Succeed())
		Eventually(func(g Gomega) {
			live := backend.DeepCopy()
			g.Expect(cluster.api.Get(ctx, client.ObjectKeyFromObject(backend), live)).To(Succeed())
			generation, _ := at(live.Object, "status.observedGeneration")
			g.Expect(generation).To(Equal(live.GetGeneration()))
		}).WithTimeout(settleTimeout).WithPolling(pollInterval).Should(Succeed())
	})

	It("shows its metrics to those who may read them, and to nobody else", func(ctx SpecContext) {
		reader, stranger := cluster.account(ctx, "reader"), cluster.account(ctx, "stranger")
		Expect(cluster.api.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "reader"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: releaseName + "-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "reader", Namespace: releaseNamespace}},
		})).To(Succeed())
		answers := func(token string) func() (int, error) {
			return func() (int, error) { return get(ctx, running.metrics, token) }
		}
		Eventually(answers(reader)).WithTimeout(settleTimeout).WithPolling(pollInterval).Should(Equal(http.StatusOK))
		Expect(answers(stranger)()).To(Equal(http.StatusForbidden))
		Expect(answers("")()).To(Equal(http.StatusUnauthorized))
	})

	It("passes helm test's pod", func(ctx SpecContext) {
		Eventually(func() (string, error) { return cluster.leader(ctx) }).
			WithTimeout(settleTimeout).WithPolling(pollInterval).ShouldNot(BeEmpty())
		out, err := cluster.selftest(ctx, binary, nil)
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(strings.Count(out, "ok      ")).To(Equal(3), out)
		Expect(out).To(MatchRegexp(`ok      leader: \S+ holds Lease tars-system/`))
	})

	It("does not pass it with a right too few", func(ctx SpecContext) {
		role := &rbacv1.ClusterRole{}
		Expect(cluster.api.Get(ctx, client.ObjectKey{Name: releaseName + "-manager-role"}, role)).To(Succeed())
		whole := slices.Clone(role.Rules)
		role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "poddisruptionbudgets") })
		Expect(role.Rules).NotTo(HaveLen(len(whole)))
		Expect(cluster.api.Update(ctx, role)).To(Succeed())
		Eventually(func(g Gomega) {
			out, err := cluster.selftest(ctx, binary, nil)
			g.Expect(err).To(HaveOccurred())
			g.Expect(out).To(ContainSubstring("FAILED  permissions: the manager may not create poddisruptionbudgets.policy in all namespaces; "))
		}).WithTimeout(settleTimeout).Should(Succeed())
		role.Rules = whole
		Expect(cluster.api.Update(ctx, role)).To(Succeed())
		Eventually(func() error { _, err := cluster.selftest(ctx, binary, nil); return err }).WithTimeout(settleTimeout).Should(Succeed())
	})

	It("does not pass it with an older CRD", func(ctx SpecContext) {
		crd := cluster.crd(ctx)
		before := crd.DeepCopy()
		spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		Expect(spec.Properties).To(HaveKey("readiness"))
		delete(spec.Properties, "readiness")
		crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = spec
		Expect(cluster.api.Update(ctx, crd)).To(Succeed())
		out, err := cluster.selftest(ctx, binary, nil)
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("lacks spec.readiness: it is older than this operator"))
		now := cluster.crd(ctx)
		now.Spec = before.Spec
		Expect(cluster.api.Update(ctx, now)).To(Succeed())
	})

	It("is refused nothing by the API server, and stops in time", func(ctx SpecContext) {
		Expect(running.process.Process.Signal(syscall.SIGTERM)).To(Succeed())
		grace := time.Duration(*running.pod.TerminationGracePeriodSeconds) * time.Second
		Eventually(running.ended).WithTimeout(grace).Should(Receive(Succeed()))
		Expect(string(running.log.Contents())).NotTo(ContainSubstring("forbidden"))
		Expect(cluster.leader(ctx)).To(BeEmpty(), "the next one need not wait for the Lease to run out")
	})

	It("does not pass helm test's pod when it is gone", func(ctx SpecContext) {
		out, err := cluster.selftest(ctx, binary, nil, "--timeout=5s")
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("FAILED  leader: nobody holds Lease tars-system/"))
	})

	It("does not pass it while the Lease is that of one who has just died", func(ctx SpecContext) {
		lease := &coordinationv1.Lease{}
		Expect(cluster.api.Get(ctx, client.ObjectKey{Namespace: releaseNamespace, Name: leaseName}, lease)).To(Succeed())
		lease.Spec.HolderIdentity, lease.Spec.RenewTime = new("dead"), new(metav1.NowMicro())
		Expect(cluster.api.Update(ctx, lease)).To(Succeed())
		out, err := cluster.selftest(ctx, binary, nil, "--timeout=5s")
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("is held by dead, who does not renew it: no manager is acting"))
		Expect(cluster.api.Delete(ctx, lease)).To(Succeed())
	})

	It("needs no more than Roles for some namespaces", func(ctx SpecContext) {
		for _, name := range []string{"team-a", "team-b", "other"} {
			Expect(cluster.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		}
		v := values{"watchNamespaces": []any{"team-a", "team-b"}, "metrics": values{"port": freePort()}}
		cluster.upgrade(loadChart(), v)
		// As of an Envoy: no cache of the manager's may be asked about it that
		// does not hold its namespace.
		Expect(cluster.api.Create(ctx, &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "envoy", Labels: map[string]string{
				discoveryv1.LabelServiceName: "envoy", "app.kubernetes.io/managed-by": "envoy-gateway",
			}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{},
		})).To(Succeed())
		limited := cluster.run(ctx, binary, decode(helmTemplate(v)))
		generationSeen := func(namespace string) func() (int64, error) {
			backend := kustomizeBuild("samples").kind("TarsBackend")[0]
			backend.SetNamespace(namespace)
			Expect(cluster.api.Apply(ctx, client.ApplyConfigurationFromUnstructured(backend.DeepCopy()), owner)).To(Succeed())
			return func() (int64, error) {
				err := cluster.api.Get(ctx, client.ObjectKeyFromObject(backend), backend)
				seen, _ := at(backend.Object, "status.observedGeneration")
				generation, _ := seen.(int64)
				return generation, err
			}
		}
		outside := generationSeen("other")
		for _, namespace := range []string{"team-a", "team-b"} {
			Eventually(generationSeen(namespace)).WithTimeout(settleTimeout).WithPolling(pollInterval).Should(BeNumerically("==", 1))
		}
		Expect(outside()).To(BeNumerically("==", -1), "what the CRD says of one that nobody looked at")
		out, err := cluster.selftest(ctx, binary, v)
		Expect(err).NotTo(HaveOccurred(), out)
		out, err = cluster.selftest(ctx, binary, nil)
		Expect(err).To(HaveOccurred(), "with these rights it cannot look after all")
		Expect(out).To(ContainSubstring("FAILED  permissions"))
		Expect(limited.process.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Eventually(limited.ended).WithTimeout(settleTimeout).Should(Receive(Succeed()))
		Expect(string(limited.log.Contents())).NotTo(Or(ContainSubstring("forbidden"), ContainSubstring("unknown namespace")))
	})
})

// leaseName is that of the Lease by which one of several managers acts.
const leaseName = "tars-operator.gateway.tars.dev"

// managerProcess is the operator's program beside the API server.
type managerProcess struct {
	process   *exec.Cmd
	pod       corev1.PodSpec
	container corev1.Container
	log       *gbytes.Buffer
	ended     chan error
	// health and metrics are where it answers.
	health, metrics string
}

// buildOperator builds this checkout's program.
func buildOperator(ctx context.Context) string {
	GinkgoHelper()
	binary := filepath.Join(GinkgoT().TempDir(), "tars-operator")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	cmd.Dir = rootDir
	out, err := cmd.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
	return binary
}

// run starts the program as the kubelet would: with the container's arguments
// and the pod's ServiceAccount. Only where it runs differs: the port of the
// probes, and that it is not in a pod.
func (c *testCluster) run(ctx context.Context, binary string, t typed) *managerProcess {
	GinkgoHelper()
	health := "127.0.0.1:" + strconv.Itoa(freePort())
	args := []string{
		"--kubeconfig=" + c.kubeconfigOf(c.token(ctx, t.pod().ServiceAccountName)),
		"--leader-election-namespace=" + releaseNamespace,
	}
	for i, argument := range t.manager().Args {
		if strings.HasPrefix(argument, "--health-probe-bind-address=") {
			argument = "--health-probe-bind-address=" + health
		}
		if i == 0 {
			args = append([]string{argument}, args...)
			continue
		}
		args = append(args, argument)
	}
	out := &managerProcess{
		process: exec.Command(binary, args...), pod: t.pod(), container: t.manager(),
		log: gbytes.NewBuffer(), ended: make(chan error, 1), health: "http://" + health,
	}
	out.process.Stderr = io.MultiWriter(out.log, GinkgoWriter)
	Expect(out.process.Start()).To(Succeed())
	go func() { out.ended <- out.process.Wait() }()
	DeferCleanup(func() {
		// Ended already, as a rule.
		if err := out.process.Process.Kill(); err == nil {
			<-out.ended
		}
	})
	return out
}

// token is one of a ServiceAccount in the release's namespace.
func (c *testCluster) token(ctx context.Context, name string) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: releaseNamespace}}
	request := &authenticationv1.TokenRequest{}
	Expect(c.api.SubResource("token").Create(ctx, account, request)).To(Succeed())
	Expect(request.Status.Token).NotTo(BeEmpty())
	return request.Status.Token
}

// account makes a ServiceAccount and returns a token of it.
func (c *testCluster) account(ctx context.Context, name string) string {
	GinkgoHelper()
	Expect(c.api.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: releaseNamespace}})).To(Succeed())
	return c.token(ctx, name)
}

// kubeconfigOf writes a kubeconfig that uses a token.
func (c *testCluster) kubeconfigOf(token string) string {
	GinkgoHelper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: c.env.Config.Host, CertificateAuthorityData: c.env.Config.CAData}
	config.AuthInfos["manager"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "manager"}
	config.CurrentContext = "test"
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// leader is who holds the Lease; empty: nobody.
func (c *testCluster) leader(ctx context.Context) (string, error) {
	lease := &coordinationv1.Lease{}
	err := c.api.Get(ctx, client.ObjectKey{Namespace: releaseNamespace, Name: leaseName}, lease)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return "", err
	}
	return *lease.Spec.HolderIdentity, nil
}

// get asks with a token and returns the status.
func get(ctx context.Context, url, token string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// The certificate is self-signed, as Prometheus is told.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, RootCAs: x509.NewCertPool()}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode, nil
}

// freePort is a port that was free a moment ago.
func freePort() int {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	Expect(listener.Close()).To(Succeed())
	number, err := strconv.Atoi(port)
	Expect(err).NotTo(HaveOccurred())
	return number
}
