// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/dataplane/errorcase"
)

const (
	// silence is how long an answer that is no stream may take to begin: beyond
	// Envoy's own idle limit of 5 minutes, which would cut it.
	silence = 305 * time.Second
	// patientGateway is the Gateway whose Envoy asks for it: what other specs break
	// must spare that Envoy's way to the stand-in.
	patientGateway = "patient"
	// patienceTimeout bounds that, and the cluster's pauses.
	patienceTimeout = silence + 2*time.Minute
)

// patience is what takes minutes. It begins with the suite, on a Gateway that
// nothing else touches, and is looked at by specs.
var patience struct {
	// answers are the outcomes by their names, each sent once.
	answers map[string]chan outcome
}

// outcome is an answer that took long.
type outcome struct {
	reply errorcase.Reply
	took  time.Duration
	err   error
}

// startPatience begins what takes minutes.
func startPatience() {
	GinkgoHelper()
	b := backend{name: "patient", gateway: patientGateway, prefix: "/patient"}
	b.namespace = newNamespace("patience")
	apply(gatewayNamespace, gatewayManifest(b.gateway))
	apply(b.namespace, b.manifests())
	kubectl("wait", "-n", gatewayNamespace, "--for=condition=Programmed", "gateway/"+b.gateway, "--timeout=3m")
	waitReady(b.namespace, b.name)
	// The spec of upgrades installs an older operator, which writes another
	// EnvoyExtensionPolicy: that drains the listener, and no drain waits so long.
	kubectl("annotate", "-n", b.namespace, "tarsbackend/"+b.name, "gateway.tars.dev/paused=true")
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(cancel)
	address := forwardGateway(ctx, b.gateway)
	patience.answers = map[string]chan outcome{}
	begin := func(name string, ask func(context.Context) (errorcase.Reply, error)) {
		done := make(chan outcome, 1)
		patience.answers[name] = done
		go func() {
			begun := time.Now()
			reply, err := ask(ctx)
			done <- outcome{reply: reply, took: time.Since(begun), err: err}
		}()
	}
	begin("silent", func(ctx context.Context) (errorcase.Reply, error) {
		req, err := chatRequest(ctx, "http://"+address+b.prefix, chatBody(chatModel, "patience", false),
			map[string]string{"x-fake-delay": silence.String()})
		if err != nil {
			return errorcase.Reply{}, err
		}
		a, err := do(req)
		return errorcase.Reply{Status: a.Status, Header: a.Header, Body: a.Body}, err
	})
	for _, a := range errorcase.APIs() {
		begin(a.Name, func(ctx context.Context) (errorcase.Reply, error) { return dawdle(ctx, address, b.prefix+a.Path) })
	}
}

// dawdle sends half of a body, and no more.
func dawdle(ctx context.Context, address, path string) (errorcase.Reply, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return errorcase.Reply{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
		return errorcase.Reply{}, err
	}
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"model\":", path); err != nil {
		return errorcase.Reply{}, err
	}
	return errorcase.ReadFrom(conn)
}

var _ = Describe("Patience", func() {
	It("an answer that is silent for five minutes arrives", func() {
		var o outcome
		Eventually(patience.answers["silent"]).WithTimeout(patienceTimeout).Should(Receive(&o))
		Expect(o.err).NotTo(HaveOccurred())
		Expect(o.reply.Status).To(Equal(http.StatusOK), o.reply.Body)
		Expect(o.reply.Body).To(ContainSubstring(`"usage"`))
		Expect(o.took).To(BeNumerically(">=", silence))
		fmt.Fprintf(os.Stderr, "an answer began after %s of silence\n", o.took.Round(time.Second))
	})

	for _, a := range errorcase.APIs() {
		It("a body that stops arriving is answered 408 in the shape of "+a.Name, func() {
			var o outcome
			Eventually(patience.answers[a.Name]).WithTimeout(patienceTimeout).Should(Receive(&o))
			Expect(o.err).NotTo(HaveOccurred())
			golden := filepath.Join("testdata", a.Name, "408-request_timeout.txt")
			if os.Getenv("UPDATE_GOLDENS") != "" {
				Expect(os.MkdirAll(filepath.Dir(golden), 0o750)).To(Succeed())
				Expect(os.WriteFile(golden, []byte(o.reply.Golden()), 0o600)).To(Succeed())
			}
			want, err := os.ReadFile(golden)
			Expect(err).NotTo(HaveOccurred())
			Expect(o.reply.Golden()).To(Equal(string(want)))
			Expect(o.took).To(BeNumerically("~", 30*time.Second, 5*time.Second))
			Expect(strings.Contains(o.reply.Body, `"type":"error"`)).To(Equal(a.Name == "anthropic"))
		})
	}
})
