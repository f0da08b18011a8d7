// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/controllers/manager"
)

// Users of the API server: the manager's, and that of everything else.
const (
	user  = "manager"
	admin = "admin"
)

// token is what a user of this API server shows, which listens to nobody outside of
// this machine.
func token(user string) string { return "token-of-" + user }

// as is the configuration of a client that shows a user's token.
func (c *cluster) as(user string) *rest.Config {
	config := rest.AnonymousClientConfig(c.env.Config)
	config.BearerToken, config.QPS = token(user), -1
	return config
}

// patience is for the start and the end of the API server.
const patience = time.Minute

// auditPolicy has the API server tell of the manager's requests, once each.
const auditPolicy = `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],
"rules":[{"level":"Metadata","users":["` + user + `"]},{"level":"None"}]}`

// cluster is an API server.
type cluster struct {
	env *envtest.Environment
	// admin is who may do everything. It shows a token, as the manager does: with a
	// client certificate the API server would verify a signature for each request.
	admin      *rest.Config
	api        client.Client
	folder     string
	kubeconfig string
}

func startCluster(root string) (*cluster, error) {
	eg, err := exec.Command("go", "-C", root, "list", "-m", "-f", "{{.Dir}}", "github.com/envoyproxy/gateway").Output()
	if err != nil {
		return nil, fmt.Errorf("finding Envoy Gateway's CRDs: %w", err)
	}
	crds := filepath.Join(strings.TrimSpace(string(eg)), "charts", "gateway-helm", "charts", "crds", "crds")
	folder, err := os.MkdirTemp("", "scale")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	c := &cluster{folder: folder, env: &envtest.Environment{
		CRDDirectoryPaths: []string{
			filepath.Join(root, "config", "crd", "bases"), filepath.Join(crds, "gatewayapi-crds.yaml"), filepath.Join(crds, "generated"),
		},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: patience, ControlPlaneStopTimeout: patience,
	}}
	policy := filepath.Join(folder, "policy.json")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	tokens := filepath.Join(folder, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(token(user)+","+user+",1\n"+token(admin)+","+admin+",2,system:masters\n"), 0o600); err != nil {
		return nil, fmt.Errorf("writing the tokens: %w", err)
	}
	c.env.ControlPlane.GetAPIServer().Configure().Set("token-auth-file", tokens).
		Set("service-cluster-ip-range", "10.0.0.0/16").Set("advertise-address", envoyAddress).
		Set("audit-policy-file", policy).Set("audit-log-path", c.auditLog()).Set("audit-log-mode", "blocking")
	if err := c.start(); err != nil {
		return nil, err
	}
	scheme, err := manager.Scheme()
	if err != nil {
		return nil, fmt.Errorf("the scheme: %w", err)
	}
	if c.api, err = client.New(c.admin, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("a client: %w", err)
	}
	return c, c.addUser(root)
}

// othersGC is GOGC of the API server, etcd and the stubs. They stand for what has
// machines of its own in a cluster of this size, and share two cores with the manager
// here: the report says so. The manager's own is what it sets itself.
const othersGC = 400

func (c *cluster) start() (err error) {
	debug.SetGCPercent(othersGC)
	if err := os.Setenv("GOGC", strconv.Itoa(othersGC)); err != nil {
		return fmt.Errorf("setting the API server's environment: %w", err)
	}
	if _, err = c.env.Start(); err != nil {
		return fmt.Errorf("starting the API server: %w", err)
	}
	c.admin = c.as(admin)
	if err := os.Unsetenv("GOGC"); err != nil {
		return fmt.Errorf("setting the manager's environment: %w", err)
	}
	return nil
}

func (c *cluster) auditLog() string { return filepath.Join(c.folder, "audit.log") }

func (c *cluster) stop() error {
	if err := c.env.Stop(); err != nil {
		return fmt.Errorf("stopping the API server: %w", err)
	}
	return os.RemoveAll(c.folder)
}

// addUser makes the user that may do what the chart lets the manager do.
func (c *cluster) addUser(root string) error {
	config := c.as(user)
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[user] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: config.BearerToken}
	kubeconfig.Contexts[user] = &clientcmdapi.Context{Cluster: user, AuthInfo: user}
	kubeconfig.CurrentContext = user
	c.kubeconfig = filepath.Join(c.folder, "kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, c.kubeconfig); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	role, leader := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	for file, into := range map[string]client.Object{"role.yaml": role, "leader_election_role.yaml": leader} {
		data, err := os.ReadFile(filepath.Join(root, "config", "rbac", file))
		if err != nil {
			return fmt.Errorf("reading the role: %w", err)
		}
		if err := yaml.UnmarshalStrict(data, into); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
	leader.Namespace = metav1.NamespaceDefault
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	return createAll(context.Background(), c.api, role, leader,
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: leader.Namespace, Name: user}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: leader.Name},
		})
}

func createAll(ctx context.Context, c client.Client, objects ...client.Object) error {
	for _, obj := range objects {
		if err := c.Create(ctx, obj); err != nil {
			return fmt.Errorf("creating %T %s: %w", obj, client.ObjectKeyFromObject(obj), err)
		}
	}
	return nil
}
