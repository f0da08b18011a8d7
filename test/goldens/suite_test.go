// SPDX-License-Identifier: Apache-2.0

package goldens

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// startTimeout bounds the start of the API server on a busy machine.
const startTimeout = 2 * time.Minute

// api is set once before the first spec and only read afterwards.
var api client.Client

func TestGoldens(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Goldens")
}

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	Expect(os.Getenv("KUBEBUILDER_ASSETS")).NotTo(BeEmpty(),
		"set KUBEBUILDER_ASSETS to a folder that holds etcd and kube-apiserver: export KUBEBUILDER_ASSETS=\"$(hack/envtest-assets.sh)\"")
	crds := filepath.Join(moduleDir("github.com/envoyproxy/gateway"), "charts", "gateway-helm", "charts", "crds", "crds")
	env := &envtest.Environment{
		CRDDirectoryPaths: []string{
			filepath.Join("..", "..", "config", "crd", "bases"),
			filepath.Join(crds, "gatewayapi-crds.yaml"),
			filepath.Join(crds, "generated"),
		},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	env.CRDInstallOptions.MaxTime = startTimeout
	DeferCleanup(env.Stop)
	_, err := env.Start()
	Expect(err).NotTo(HaveOccurred())
	// What a pod template may name and a pod is refused without.
	Expect(newClient(env.KubeConfig).Create(ctx, &schedulingv1.PriorityClass{
		ObjectMeta: metav1.ObjectMeta{Name: "gateways"}, Value: 1,
	})).To(Succeed())
	return env.KubeConfig
}, func(kubeconfig []byte) {
	api = newClient(kubeconfig)
})

// newClient refuses fields that the API server does not know.
func newClient(kubeconfig []byte) client.Client {
	GinkgoHelper()
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	c, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// moduleDir is where the module cache has the version that go.mod names.
func moduleDir(module string) string {
	GinkgoHelper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(string(out))
}

// restrictedNamespace makes a namespace in which only pods of the restricted
// pod security standard may run.
func restrictedNamespace(ctx SpecContext) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "golden-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	Expect(api.Create(ctx, ns)).To(Succeed())
	return ns.Name
}
