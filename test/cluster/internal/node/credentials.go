// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/tars-operator/tars-operator/test/cluster/internal/pki"
)

// users are the clients of the apiserver, by the name of their files.
var users = []pki.Request{
	{Name: "admin", CommonName: "admin", Organizations: []string{"system:masters"}},
	{Name: "kube-controller-manager", CommonName: "system:kube-controller-manager"},
	{Name: "kube-scheduler", CommonName: "system:kube-scheduler"},
	{Name: "kube-proxy", CommonName: "system:kube-proxy"},
	{Name: "kubelet", CommonName: "system:node:" + nodeName, Organizations: []string{"system:nodes"}},
	{Name: "apiserver-kubelet-client", CommonName: "kube-apiserver", Organizations: []string{"system:masters"}},
}

// WriteCredentials makes every certificate and kubeconfig of a new cluster.
// hostPort is the port of 127.0.0.1 at which the host reaches the apiserver.
func (l Layout) WriteCredentials(hostPort string) error {
	ca, err := pki.New(l.path("pki"), "tars-operator-cluster")
	if err != nil {
		return err
	}
	server := pki.Request{
		Name: "apiserver", CommonName: "kube-apiserver",
		Hosts: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			"localhost", "127.0.0.1", Address, serviceIP,
		},
	}
	if err := ca.Issue(server); err != nil {
		return err
	}
	// Signs the tokens of service accounts: only its key is used.
	if err := ca.Issue(pki.Request{Name: "sa", CommonName: "service-accounts"}); err != nil {
		return err
	}
	for _, user := range users {
		if err := ca.Issue(user); err != nil {
			return err
		}
		if err := l.writeKubeconfig(l.path(user.Name+".kubeconfig"), user.Name, "https://"+Address+":"+APIPort); err != nil {
			return err
		}
	}
	return l.writeKubeconfig(l.Kubeconfig(), "admin", "https://127.0.0.1:"+hostPort)
}

func (l Layout) writeKubeconfig(path, user, server string) error {
	read := func(file string) string {
		content, readErr := os.ReadFile(l.pki(file))
		if readErr != nil {
			return ""
		}
		return base64.StdEncoding.EncodeToString(content)
	}
	ca, cert, key := read("ca.crt"), read(user+".crt"), read(user+".key")
	if ca == "" || cert == "" || key == "" {
		return errors.New("the certificates of " + user + " are not there")
	}
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
clusters: [{name: %[1]s, cluster: {server: "%[2]s", certificate-authority-data: %[3]s}}]
users: [{name: %[1]s, user: {client-certificate-data: %[4]s, client-key-data: %[5]s}}]
contexts: [{name: %[1]s, context: {cluster: %[1]s, user: %[1]s}}]
`, "tars-operator-"+l.Name, server, ca, cert, key)
	return os.WriteFile(path, []byte(config), 0o600)
}
