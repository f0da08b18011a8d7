// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/cli"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	// startTimeout bounds the start of the API server on a busy machine.
	startTimeout = 2 * time.Minute
	// buildTimeout bounds a build of the operator with nothing cached.
	buildTimeout = 15 * time.Minute
	// settleTimeout bounds what should follow a change at once.
	settleTimeout = time.Minute
	// pollInterval is how often a condition is looked at.
	pollInterval = 100 * time.Millisecond
	// crdName is our CRD.
	crdName = "tarsbackends.gateway.tars.dev"
	// owner is the field manager of a user who applies.
	owner = client.FieldOwner("user")
)

// testCluster is an API server with Envoy Gateway's CRDs and without ours.
type testCluster struct {
	env        *envtest.Environment
	api        client.Client
	kubeconfig string
	schemaDir  string // see fetchSchemas
}

func startCluster() *testCluster {
	GinkgoHelper()
	Expect(os.Getenv("KUBEBUILDER_ASSETS")).NotTo(BeEmpty(),
		"set KUBEBUILDER_ASSETS to a folder that holds etcd and kube-apiserver: export KUBEBUILDER_ASSETS=\"$(hack/envtest-assets.sh)\"")
	crds := filepath.Join(envoyGatewayModule(), "charts/gateway-helm/charts/crds/crds")
	env := &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(crds, "gatewayapi-crds.yaml"), filepath.Join(crds, "generated")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	env.CRDInstallOptions.MaxTime = startTimeout
	config, err := env.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(env.Stop)
	config.QPS = -1
	api, err := client.New(config, client.Options{Scheme: scheme()})
	Expect(err).NotTo(HaveOccurred())
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(kubeconfig, env.KubeConfig, 0o600)).To(Succeed())
	return &testCluster{env: env, api: api, kubeconfig: kubeconfig}
}

// envoyGatewayModule is the folder of the Envoy Gateway that the operator is
// built against: its chart has the CRDs that a cluster gets.
func envoyGatewayModule() string {
	GinkgoHelper()
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/envoyproxy/gateway")
	cmd.Dir = rootDir
	out, err := cmd.Output()
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(string(out))
}

// dryRun applies objects server-side and strictly without storing them.
func (c *testCluster) dryRun(ctx context.Context, list objects) {
	GinkgoHelper()
	strict := client.WithFieldValidation(c.api, metav1.FieldValidationStrict)
	for _, object := range list {
		if object.GetNamespace() == "" {
			// As kubectl does with its current namespace.
			mapping, err := c.api.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
			Expect(err).NotTo(HaveOccurred(), key(object))
			if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
				object.SetNamespace(metav1.NamespaceDefault)
			}
		}
		Expect(strict.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), owner, client.DryRunAll)).To(Succeed(), key(object))
	}
}

// admits asks for a pod from the manager's template, without storing it.
func (c *testCluster) admits(ctx context.Context, t typed, change func(*corev1.PodSpec)) error {
	GinkgoHelper()
	template := t.deployment().Spec.Template
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: *template.Spec.DeepCopy()}
	pod.Name, pod.Namespace = "manager", releaseNamespace
	if change != nil {
		change(&pod.Spec)
	}
	return c.api.Create(ctx, pod, client.DryRunAll)
}

// helm prepares Helm's actions as the command does.
func (c *testCluster) helm() *action.Configuration {
	GinkgoHelper()
	settings := cli.New()
	settings.KubeConfig = c.kubeconfig
	settings.SetNamespace(releaseNamespace)
	out := &action.Configuration{}
	Expect(out.Init(settings.RESTClientGetter(), releaseNamespace, "secret", func(format string, args ...any) {
		GinkgoWriter.Printf(format+"\n", args...)
	})).To(Succeed())
	return out
}

// install is helm install.
func (c *testCluster) install(v values) {
	GinkgoHelper()
	install := action.NewInstall(c.helm())
	install.ReleaseName, install.Namespace = releaseName, releaseNamespace
	_, err := install.Run(loadChart(), v)
	Expect(err).NotTo(HaveOccurred())
}

// upgrade is helm upgrade.
func (c *testCluster) upgrade(to *chart.Chart, v values) {
	GinkgoHelper()
	upgrade := action.NewUpgrade(c.helm())
	upgrade.Namespace = releaseNamespace
	_, err := upgrade.Run(releaseName, to, v)
	Expect(err).NotTo(HaveOccurred())
}

// uninstall is helm uninstall.
func (c *testCluster) uninstall() {
	GinkgoHelper()
	_, err := action.NewUninstall(c.helm()).Run(releaseName)
	Expect(err).NotTo(HaveOccurred())
}

func loadChart() *chart.Chart {
	GinkgoHelper()
	out, err := loader.Load(chartDir)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// present returns which of the rendered objects the cluster has.
func (c *testCluster) present(ctx context.Context, list objects) []string {
	GinkgoHelper()
	out := []string{}
	for _, object := range list {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(object.GroupVersionKind())
		err := c.api.Get(ctx, client.ObjectKeyFromObject(object), live)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		if err == nil {
			out = append(out, key(object))
		}
	}
	return out
}

// crd is our CRD as the cluster has it.
func (c *testCluster) crd(ctx context.Context) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	out := &apiextensionsv1.CustomResourceDefinition{}
	Expect(c.api.Get(ctx, client.ObjectKey{Name: crdName}, out)).To(Succeed())
	return out
}

// expectServed waits until TarsBackends can be applied.
func (c *testCluster) expectServed(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(c.crd(ctx).Status.Conditions).To(ContainElement(And(
			HaveField("Type", apiextensionsv1.Established), HaveField("Status", apiextensionsv1.ConditionTrue))))
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("gateway.tars.dev/v1alpha1")
		list.SetKind("TarsBackendList")
		g.Expect(c.api.List(ctx, list)).To(Succeed())
	}).WithTimeout(settleTimeout).WithPolling(pollInterval).Should(Succeed())
}

// makeNamespace makes the release's namespace, with pod security enforced.
func (c *testCluster) makeNamespace(ctx context.Context) {
	GinkgoHelper()
	namespaces := kustomizeBuild("default").kind("Namespace")
	Expect(namespaces).To(HaveLen(1))
	Expect(c.api.Apply(ctx, client.ApplyConfigurationFromUnstructured(namespaces[0]), owner)).To(Succeed())
}
