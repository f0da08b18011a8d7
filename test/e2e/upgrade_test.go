// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

const (
	// previousCommit stands in for the release before this one, as long as there
	// is none: the last commit before spec.retry. A release moves it to its tag.
	previousCommit = "819a1158d134deddd85d7e81d522c06b7b9b4c04"
	previousTag    = "e2e-previous"
	// gatewayBuffer is what Envoy Gateway lets a connection to a cluster buffer by
	// itself, in bytes: previousCommit leaves it at that.
	gatewayBuffer = 32 << 10
)

// previousCheckout is the tree of previousCommit.
func previousCheckout() string {
	GinkgoHelper()
	git := func(args ...string) command {
		// The checkout may belong to another user than the one who tests it.
		return command{name: "git", args: append([]string{"-c", "safe.directory=*", "-C", lab.root}, args...)}
	}
	ctx := GinkgoT().Context()
	known := git("cat-file", "-e", previousCommit+"^{commit}")
	if _, err := known.run(ctx); err != nil {
		_, fetchErr := git("fetch", "--unshallow").run(ctx)
		if _, err := known.run(ctx); err != nil {
			Fail(fmt.Sprintf("the commit that the upgrade begins with is not in this checkout (%v); "+
				"where its history is shallow, git fetch --unshallow brings it, which said: %v", err, fetchErr))
		}
	}
	dir := filepath.Join(GinkgoT().TempDir(), "previous")
	tar := dir + ".tar"
	Expect(os.MkdirAll(dir, 0o750)).To(Succeed())
	must(git("archive", "--format=tar", "--output", tar, previousCommit))
	must(command{name: "tar", args: []string{"--extract", "--file", tar, "--directory", dir}})
	return dir
}

var _ = Describe("An upgrade from the previous release", Ordered, func() {
	b := backend{name: "upgraded", gateway: gatewayName, prefix: "/upgraded", extra: "models: {allow: [" + chatModel + "]}"}
	var base, policy string
	var previous, current string
	var listener int

	// The listener holds what the EnvoyExtensionPolicy says. It may change with
	// that alone, since a changed listener drains every app's connections.
	extensionPolicy := func() string {
		GinkgoHelper()
		return kubectl("get", "envoyextensionpolicy", "-n", b.namespace, b.name, "-o", "jsonpath={.spec}")
	}
	// expectServing waits until everything is the given version's, and compares.
	// What the pods before still serve is not waited for: it counts at the end.
	expectServing := func(program, tag string) {
		GinkgoHelper()
		deployment := "deployment/" + b.name + "-extproc"
		Eventually(func() string {
			return kubectl("get", "-n", b.namespace, deployment, "-o", "jsonpath={.spec.template.spec.containers[0].image}")
		}).Should(HaveSuffix(":" + tag))
		kubectl("rollout", "status", "-n", b.namespace, deployment, "--timeout=3m")
		waitReady(b.namespace, b.name)
		expectAsRendered(program, b)
		if now := extensionPolicy(); now != policy {
			fmt.Fprintf(os.Stderr, "the EnvoyExtensionPolicy is another one with %s, so a listener may have changed\n", tag)
			policy, listener = now, listenerModified(gatewayName)
		}
		Expect(listenerModified(gatewayName)).To(Equal(listener), "the listener was modified with %s", tag)
	}

	BeforeAll(func(ctx SpecContext) {
		checkout := previousCheckout()
		tar, binary, err := lab.BuildOperatorImage(ctx, checkout, previousTag)
		Expect(err).NotTo(HaveOccurred())
		_, err = lab.Cluster(ctx, "load", "--name", lab.Name, tar)
		Expect(err).NotTo(HaveOccurred())
		previous, current = binary, lab.Program()
		DeferCleanup(func() {
			// Helm goes on with the values of a release unless it is told not to.
			helm("upgrade", "tars-operator", "charts/tars-operator", "--namespace", shared.OperatorNamespace, "--reset-values", "--wait")
		})
		helm("upgrade", "tars-operator", filepath.Join(checkout, "charts", "tars-operator"), "--namespace", shared.OperatorNamespace,
			"--set", "manager.image.tag="+previousTag, "--wait")
		Expect(kubectl("explain", "tarsbackend.spec")).NotTo(ContainSubstring("retry"), "the CRD is the previous release's")
		b.namespace = newNamespace("upgrade")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		base = lab.base + b.prefix
		policy, listener = extensionPolicy(), listenerModified(gatewayName)
		expectServing(previous, previousTag)
	}, NodeTimeout(setUpTimeout))

	It("and back loses no request, cuts no stream and brings the new fields", func() {
		t := startTraffic(base)
		retries := func() string {
			return kubectl("get", "backendtrafficpolicy", "-n", b.namespace, b.name, "-o", "jsonpath={.spec.retry.numRetries}")
		}
		helm("upgrade", "tars-operator", "charts/tars-operator", "--namespace", shared.OperatorNamespace,
			"--set", "manager.image.tag="+lab.Version, "--wait")
		expectServing(current, lab.Version)
		// A change of the cluster would reset the requests in flight.
		Expect(extProcBuffers(GinkgoT().Context(), b)).To(HaveExactElements(gatewayBuffer))
		kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"retry":{"attempts":3}}}`)
		waitReady(b.namespace, b.name)
		Expect(retries()).To(Equal("3"))

		// The new field is in use, and means nothing to the previous release.
		helm("rollback", "tars-operator", "--namespace", shared.OperatorNamespace, "--wait")
		expectServing(previous, previousTag)
		Expect(retries()).To(Equal("1"))
		t.expectUnharmed("helm upgrade from the previous release, and helm rollback to it")
	})
})
