// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/controllers/manager"
)

const (
	// startTimeout bounds the start of the API server on a busy machine.
	startTimeout = 2 * time.Minute
	// soon bounds what needs a few round trips; on a busy machine they take
	// seconds, on a quiet one milliseconds.
	soon = 30 * time.Second
	// relist bounds what has to wait until informers look again whether a kind
	// that was gone is back: client-go's pauses grow up to 30 s, for us and for
	// the fakes.
	relist = 2 * time.Minute
	// poll is how often Eventually looks.
	poll = 20 * time.Millisecond
	// quiet is how long something must not happen.
	quiet = 700 * time.Millisecond
)

// The cluster of the suite: set once before the first spec.
var (
	api     client.Client // as the cluster's administrator
	admin   *rest.Config
	asUser  *rest.Config // bound to exactly the manager's role
	eg      *fakeEnvoyGateway
	prober  *fakeProber
	running *testManager
	granted = &permissions{}
)

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	log.SetLogger(GinkgoLogr) // what was logged is shown with a spec that fails
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(poll)
	SetDefaultConsistentlyDuration(quiet)
	SetDefaultConsistentlyPollingInterval(poll)
	RunSpecs(t, "Controllers")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	env := startAPIServer(ourCRDs(), gatewayAPICRDs(), envoyGatewayCRDs())
	admin = env.Config
	admin.QPS = -1
	api = newClient(admin)
	asUser = addManagerUser(ctx, env, api)
	createGatewayClasses(ctx, api)
	eg = startFakeEnvoyGateway(admin)
	prober = newFakeProber()
	running = startManager(asUser, prober)
	DeferCleanup(func() { running.stop() })
})

// startAPIServer starts an API server with CRDs from files or folders.
func startAPIServer(crds ...string) *envtest.Environment {
	GinkgoHelper()
	Expect(os.Getenv("KUBEBUILDER_ASSETS")).NotTo(BeEmpty(),
		"set KUBEBUILDER_ASSETS to a folder that holds etcd and kube-apiserver")
	env := &envtest.Environment{
		CRDDirectoryPaths:        crds,
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	env.CRDInstallOptions.MaxTime = startTimeout
	// Every spec leaves Services behind; the default range has 254 addresses.
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	_, err := env.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(env.Stop)
	return env
}

func newClient(config *rest.Config) client.Client {
	GinkgoHelper()
	scheme, err := manager.Scheme()
	Expect(err).NotTo(HaveOccurred())
	c, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return c
}

func ourCRDs() string { return filepath.Join("..", "config", "crd", "bases") }

func gatewayAPICRDs() string {
	return filepath.Join(envoyGatewayModule(), "charts", "gateway-helm", "charts", "crds", "crds", "gatewayapi-crds.yaml")
}

func envoyGatewayCRDs() string {
	return filepath.Join(envoyGatewayModule(), "charts", "gateway-helm", "charts", "crds", "crds", "generated")
}

// envoyGatewayModule is the folder of the Envoy Gateway that go.mod names: its
// chart has the CRDs that a cluster gets.
func envoyGatewayModule() string {
	GinkgoHelper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/envoyproxy/gateway").Output()
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(string(out))
}

// leaderElectionNamespace is where the managers under test hold their Lease.
const leaderElectionNamespace = "default"

// addManagerUser makes a user that may do what the chart lets the manager do,
// and nothing else.
func addManagerUser(ctx context.Context, env *envtest.Environment, c client.Client) *rest.Config {
	GinkgoHelper()
	const name = "manager"
	user, err := env.AddUser(envtest.User{Name: name}, &rest.Config{QPS: -1})
	Expect(err).NotTo(HaveOccurred())
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}

	role := &rbacv1.ClusterRole{}
	readYAML(filepath.Join("..", "config", "rbac", "role.yaml"), role)
	Expect(c.Create(ctx, role)).To(Succeed())
	Expect(c.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	})).To(Succeed())

	leader := &rbacv1.Role{}
	readYAML(filepath.Join("..", "config", "rbac", "leader_election_role.yaml"), leader)
	leader.Namespace = leaderElectionNamespace
	Expect(c.Create(ctx, leader)).To(Succeed())
	Expect(c.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: leaderElectionNamespace}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: leader.Name},
	})).To(Succeed())
	return user.Config()
}

func readYAML(path string, into any) {
	GinkgoHelper()
	data, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	Expect(yaml.UnmarshalStrict(data, into)).To(Succeed())
}
