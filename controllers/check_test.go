// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/check"
)

// kubeconfig is a file by which somebody reaches the API server; with an empty
// name it is the administrator.
func kubeconfig(user, namespace string) string {
	GinkgoHelper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: admin.Host, CertificateAuthorityData: admin.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: admin.CertData, ClientKeyData: admin.KeyData, Impersonate: user,
	}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u", Namespace: namespace}
	config.CurrentContext = "x"
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// checkAs runs check for somebody in a world's namespace.
func checkAs(ctx context.Context, user string, w *world, args ...string) (string, error) {
	GinkgoHelper()
	var stdout bytes.Buffer
	err := check.Run(ctx, append([]string{"--kubeconfig", kubeconfig(user, w.namespace)}, args...), check.Process{
		Stdin: os.Stdin, Stdout: &stdout, Stderr: GinkgoWriter,
	})
	Expect(stdout.String()).NotTo(ContainSubstring(tarsKey))
	return stdout.String(), err
}

// allow gives a user of this world's rules besides those of the viewer's role.
func (w *world) allow(ctx context.Context, rules ...rbacv1.PolicyRule) string {
	GinkgoHelper()
	viewer := &rbacv1.ClusterRole{}
	readYAML(filepath.Join("..", "config", "rbac", "tarsbackend_viewer_role.yaml"), viewer)
	user := "viewer-of-" + w.namespace
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: append(viewer.Rules, rules...)}
	Expect(w.api.Create(ctx, role)).To(Succeed())
	Expect(w.api.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
	})).To(Succeed())
	return user
}

var readGateways = rbacv1.PolicyRule{
	APIGroups: []string{gatewayv1.GroupName}, Resources: []string{"gateways", "gatewayclasses"}, Verbs: []string{"get"},
}

var _ = Describe("check of a cluster", func() {
	It("has nothing to say of one that is Ready, with no more rights than a viewer who may read Gateways", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		user := w.allow(ctx, readGateways)
		for _, args := range [][]string{nil, {"tars"}, {"tarsbackend/tars"}, {"-n", w.namespace, "tars"}} {
			out, err := checkAs(ctx, user, w, args...)
			Expect(err).NotTo(HaveOccurred(), out)
			Expect(out).To(Equal(w.namespace + "/tars: Ready, no complaint\n" +
				"  unseen     Secret " + w.namespace + "/tars-api-key was not looked at " +
				"(you lack the permission to get secrets in namespace " + w.namespace + "): taken to hold a key under apiKey\n"))
		}
	})

	It("looks at every namespace with -A", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		out, _ := checkAs(ctx, w.allow(ctx, readGateways), w, "-A")
		Expect(out).To(ContainSubstring(w.namespace + "/tars: Ready, no complaint\n"))
	})

	It("says which permission is missing", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		out, err := checkAs(ctx, w.allow(ctx), w)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("Gateway " + w.namespace + "/gw was not looked at (you lack the permission to get " +
			"gateways.gateway.networking.k8s.io in namespace " + w.namespace + ")"))

		for verb, args := range map[string][]string{"list": nil, "get": {"tars"}} {
			_, err = checkAs(ctx, "nobody-that-anyone-knows", w, args...)
			Expect(err).To(MatchError(And(ContainSubstring("you lack the permission to "+verb+" tarsbackends.gateway.tars.dev in namespace "+w.namespace),
				ContainSubstring("tarsbackend-viewer"))))
		}
	})

	It("tells the first thing wrong as the status has it, in which layer, and where to look", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.create(ctx, w.gateway, w.service, w.slice, w.backend)
		Eventually(func(g Gomega) {
			g.Expect(w.condition(ctx, g, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonSecretNotFound))
		}).Should(Succeed())
		for _, user := range []string{"", w.allow(ctx, readGateways)} {
			out, err := checkAs(ctx, user, w)
			Expect(err).To(MatchError("1 of 1 TarsBackends want attention"))
			Expect(out).To(And(
				HavePrefix(w.namespace+"/tars: not Ready (SecretNotFound), no complaint\n"),
				ContainSubstring("  layer      references"),
				ContainSubstring("  what       Secret "+w.namespace+"/tars-api-key does not exist"),
				ContainSubstring("  fix        "),
				ContainSubstring("  look       kubectl get secret -n "+w.namespace+" tars-api-key\n"),
			))
		}
	})

	It("complains about what is careless though it is Ready", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.secret.Data["apiKey"] = []byte(tarsKey + "\n")
		w.backend.Spec.ExtProc = &v1alpha1.ExtProc{Replicas: new(int32(1))}
		w.ready(ctx)
		out, err := checkAs(ctx, "", w, "tars")
		Expect(err).To(HaveOccurred())
		Expect(out).To(And(HavePrefix(w.namespace+"/tars: Ready, 2 complaints\n"), ContainSubstring("OneReplica"), ContainSubstring("KeyHasSpace")))
	})

	It("takes the manager's word on what only the manager's flags tell", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.backend.Spec.Endpoint.Hostname = "tars.example.com" // which this suite's manager allows
		w.ready(ctx)
		_, err := checkAs(ctx, "", w, "tars")
		Expect(err).NotTo(HaveOccurred())
	})

	It("fails where there is nothing to look at", func(ctx SpecContext) {
		w := newWorld(ctx)
		_, err := checkAs(ctx, "", w)
		Expect(err).To(MatchError("there is no TarsBackend in namespace " + w.namespace))
		_, err = checkAs(ctx, "", w, "tars")
		Expect(err).To(MatchError(ContainSubstring(`"tars" not found`)))
		_, err = checkAs(ctx, "", w, "--context=none")
		Expect(err).To(MatchError(ContainSubstring("finding the cluster")))
	})

	It("reads nothing that it does not need", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		out, err := checkAs(ctx, w.allow(ctx, readGateways, rbacv1.PolicyRule{
			APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, Verbs: []string{"get"},
		}), w)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal(w.namespace + "/tars: Ready, no complaint\n"))
	})
})
