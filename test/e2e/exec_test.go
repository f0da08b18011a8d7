// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Time bounds of the suite, by what they wait for.
const (
	// commandTimeout bounds a command that waits for nothing.
	commandTimeout = 2 * time.Minute
	// readyTimeout bounds apply -> Ready.
	readyTimeout = 3 * time.Minute
	// settleTimeout bounds what should follow a change at once.
	settleTimeout = 60 * time.Second
	// pollInterval is how often a condition is looked at.
	pollInterval = 100 * time.Millisecond
)

// command is one run of a program as a user would type it.
type command struct {
	name  string
	args  []string
	stdin string
	dir   string
	env   []string
}

// run runs a command, shows it in the suite's output and returns its standard
// output. It does not judge the exit code.
func (c command) run(ctx context.Context) (string, error) {
	program := c.name
	if path, ok := lab.tools[c.name]; ok {
		program = path
	}
	cmd := exec.CommandContext(ctx, program, c.args...)
	cmd.Dir = c.dir
	if cmd.Dir == "" {
		cmd.Dir = lab.root
	}
	cmd.Env = append(os.Environ(), "KUBECONFIG="+lab.kubeconfig, "PATH="+lab.toolPath())
	cmd.Env = append(cmd.Env, c.env...)
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	_, _ = fmt.Fprintf(GinkgoWriter, "$ %s %s   # %.1f s\n%s%s", filepath.Base(c.name), strings.Join(c.args, " "),
		time.Since(begin).Seconds(), stdout.String(), stderr.String())
	if err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", c.name, strings.Join(c.args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// must runs a command that has to succeed.
func must(c command) string {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout+commandTimeout)
	defer cancel()
	out, err := c.run(ctx)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// kubectl runs kubectl, which has to succeed.
func kubectl(args ...string) string {
	GinkgoHelper()
	return must(command{name: "kubectl", args: args})
}

// apply applies manifests in a namespace.
func apply(namespace, manifests string) {
	GinkgoHelper()
	must(command{name: "kubectl", args: []string{"apply", "-n", namespace, "-f", "-"}, stdin: manifests})
}

// helm runs helm, which has to succeed.
func helm(args ...string) string {
	GinkgoHelper()
	return must(command{name: "helm", args: args})
}

// waitReady waits as README tells users to.
func waitReady(namespace, name string) {
	GinkgoHelper()
	waitCondition(namespace, name, "Ready")
}

// waitCondition waits until a condition is True.
func waitCondition(namespace, name, condition string) {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout+commandTimeout)
	defer cancel()
	_, err := command{name: "kubectl", args: []string{
		"wait", "-n", namespace, "--for=condition=" + condition, "tarsbackend/" + name,
		fmt.Sprintf("--timeout=%ds", int(readyTimeout.Seconds())),
	}}.run(ctx)
	if err != nil {
		Fail(err.Error() + "\n" + kubectl("get", "-n", namespace, "tarsbackend/"+name, "-o", "yaml"))
	}
}

// readyReason is the reason of a TarsBackend's Ready condition.
func readyReason(namespace, name string) string {
	GinkgoHelper()
	return kubectl("get", "-n", namespace, "tarsbackend/"+name, "-o",
		`jsonpath={.status.conditions[?(@.type=="Ready")].reason}`)
}

// apiClient talks to the cluster's API server.
func apiClient() client.Client {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", lab.kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	api, err := client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	return api
}

// patchSecret changes a Secret's key, and returns when it began to. kubectl
// takes a second to start on a busy machine, which is no part of a rotation.
func patchSecret(ctx context.Context, namespace, name, key string) time.Time {
	GinkgoHelper()
	api := apiClient()
	secret := &corev1.Secret{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)).To(Succeed())
	changed := secret.DeepCopy()
	changed.Data["apiKey"] = []byte(key)
	begin := time.Now()
	Expect(api.Patch(ctx, changed, client.MergeFrom(secret))).To(Succeed())
	return begin
}
