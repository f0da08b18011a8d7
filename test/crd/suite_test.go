// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// startTimeout bounds the start of the API server on a busy machine.
const startTimeout = 2 * time.Minute

// crdName is the CRD under test.
const crdName = "tarsbackends.gateway.tars.dev"

// Set once before the first spec and only read afterwards.
var (
	restConfig *rest.Config
	api        client.Client
)

func TestCRD(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "CRD")
}

var _ = SynchronizedBeforeSuite(func() []byte {
	Expect(os.Getenv("KUBEBUILDER_ASSETS")).NotTo(BeEmpty(),
		"set KUBEBUILDER_ASSETS to a folder that holds etcd and kube-apiserver: export KUBEBUILDER_ASSETS=\"$(hack/envtest-assets.sh)\"")
	env := &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	// Also when it does not take the CRD: the processes would stay for ever.
	DeferCleanup(env.Stop)
	_, err := env.Start()
	Expect(err).NotTo(HaveOccurred(), "an API server starts and accepts the CRD")
	return env.KubeConfig
}, func(kubeconfig []byte) {
	var err error
	restConfig, err = clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	// The suite asks about many objects; the default limit is for controllers.
	restConfig.QPS = -1

	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	api, err = client.New(restConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
})

// readCRD returns the CRD as the API server holds it.
func readCRD(ctx context.Context) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(api.Get(ctx, client.ObjectKey{Name: crdName}, crd)).To(Succeed())
	Expect(crd.Spec.Versions).To(HaveLen(1))
	return crd
}
