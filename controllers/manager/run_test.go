// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

const (
	// startTimeout bounds the start of the API server on a busy machine.
	startTimeout = 2 * time.Minute
	// soon bounds what needs a few round trips.
	soon = 30 * time.Second
)

var _ = Describe("The command", func() {
	It("runs against a cluster without Envoy Gateway, and gives its Lease back", func(ctx SpecContext) {
		env := &envtest.Environment{
			CRDDirectoryPaths:        []string{filepath.Join("..", "..", "config", "crd", "bases")},
			ErrorIfCRDPathMissing:    true,
			ControlPlaneStartTimeout: startTimeout,
			ControlPlaneStopTimeout:  startTimeout,
		}
		_, err := env.Start()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(env.Stop)
		kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
		Expect(os.WriteFile(kubeconfig, env.KubeConfig, 0o600)).To(Succeed())
		scheme, err := Scheme()
		Expect(err).NotTo(HaveOccurred())
		api, err := client.New(env.Config, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())

		health, metrics := freeAddress(), freeAddress()
		var logs lockedBuffer
		running, stop := context.WithCancel(ctx)
		defer stop()
		done := make(chan error, 1)
		go func() {
			done <- Run(running, []string{
				image, "--kubeconfig=" + kubeconfig, "--health-probe-bind-address=" + health, "--metrics-bind-address=" + metrics,
				"--leader-elect", "--leader-election-namespace=default",
			}, Process{Version: "v1.2.3", Stderr: &logs})
		}()

		for _, path := range []string{"/healthz", "/readyz"} {
			Eventually(ctx, statusOf("http://"+health+path)).WithTimeout(soon).Should(Equal(http.StatusOK))
		}
		Eventually(ctx, statusOf("https://"+metrics+"/metrics")).WithTimeout(soon).Should(Equal(http.StatusUnauthorized),
			"metrics are not for everybody")

		backend := &v1alpha1.TarsBackend{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "tars"},
			Spec: v1alpha1.TarsBackendSpec{
				ParentRefs: []gatewayv1.ParentReference{{Name: "gw"}},
				Credential: v1alpha1.Credential{SecretRef: v1alpha1.SecretKeyReference{Name: "key"}},
			},
		}
		Expect(api.Create(ctx, backend)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(backend), backend)).To(Succeed())
			ready := meta.FindStatusCondition(backend.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Status).To(Equal(metav1.ConditionFalse))
		}).WithTimeout(soon).Should(Succeed())

		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: LeaderElectionID}}
		Expect(api.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
		Expect(lease.Spec.HolderIdentity).To(HaveValue(Not(BeEmpty())))
		stop()
		Eventually(done).WithTimeout(soon).Should(Receive(BeNil()))
		Expect(api.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
		Expect(lease.Spec.HolderIdentity).To(Or(BeNil(), HaveValue(BeEmpty())), "the next manager need not wait")
		Expect(logs.String()).To(ContainSubstring(`"version":"v1.2.3"`))
	})

	It("says what is wrong with the way to the API server", func(ctx SpecContext) {
		err := Run(ctx, []string{image, "--kubeconfig=" + filepath.Join(GinkgoT().TempDir(), "none")}, Process{Stderr: GinkgoWriter})
		Expect(err).To(MatchError(ContainSubstring("finding the API server")))
	})
})

// freeAddress is a loopback address that nobody listens on.
func freeAddress() string {
	GinkgoHelper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(l.Close()).To(Succeed()) }()
	return l.Addr().String()
}

// statusOf asks a URL for its status code; 0 without an answer.
func statusOf(url string) func(context.Context) int {
	c := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
	return func(ctx context.Context) int {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return 0
		}
		response, err := c.Do(request)
		if err != nil {
			return 0
		}
		if err := response.Body.Close(); err != nil {
			return 0
		}
		return response.StatusCode
	}
}

// lockedBuffer is a buffer that several may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
