// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// reachTimeout bounds the look whether a Context's cluster answers.
const reachTimeout = 2 * time.Second

// loader brings an image's tar into a cluster.
type loader struct {
	tool string
	// args are followed by the tar's path and then by more.
	args, more []string
}

// loader tells from the Context's name whose cluster it is; nil: nobody's that
// images can be brought into.
func (l *Lab) loader() *loader {
	if name, ok := strings.CutPrefix(l.Context, "kind-"); ok {
		return &loader{tool: "kind", args: []string{"load", "image-archive"}, more: []string{"--name", name}}
	}
	if name, ok := strings.CutPrefix(l.Context, "k3d-"); ok {
		return &loader{tool: "k3d", args: []string{"image", "import"}, more: []string{"--cluster", name}}
	}
	if l.Context == "minikube" {
		return &loader{tool: "minikube", args: []string{"image", "load"}}
	}
	return nil
}

// Preflight says all that is missing at once, and changes nothing.
func (l *Lab) Preflight(ctx context.Context) error {
	if l.Context == "" {
		args := []string{"preflight"}
		if l.Outside != nil {
			args = append(args, "--egress", l.Outside.target())
		}
		_, err := l.Cluster(ctx, args...)
		return err
	}
	var missing []error
	need := func(tool string) bool {
		_, err := exec.LookPath(tool)
		if err != nil {
			missing = append(missing, fmt.Errorf("%s is not in PATH: install it", tool))
		}
		return err == nil
	}
	kubectl := need("kubectl")
	need("helm")
	switch load := l.loader(); {
	case load != nil:
		need(load.tool)
	case l.Images.Operator == "":
		missing = append(missing, fmt.Errorf("context %s is neither kind's nor k3d's nor minikube's, so that images cannot be brought into it: "+
			"push one (make docker-build docker-push IMG=...) and name it by DEMO_IMAGE", l.Context))
	}
	if l.loader() == nil && l.Images.StandIn == "" && l.Outside == nil {
		missing = append(missing, errors.New("there is no image for the stand-in: name one by DEMO_STAND_IN_IMAGE, "+
			"or set TARS_API_KEY for the real service"))
	}
	if kubectl {
		ctx, cancel := context.WithTimeout(ctx, reachTimeout)
		defer cancel()
		if _, err := l.Kubectl(ctx, "", "get", "--raw", "/readyz", "--request-timeout", reachTimeout.String()); err != nil {
			missing = append(missing, fmt.Errorf("the cluster of context %s does not answer: %w", l.Context, err))
		}
	}
	return errors.Join(missing...)
}

// forwarding is how kubectl says that it listens.
var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) `)

// PortForward has kubectl lead a port of the loopback to one of a pod or a Service
// (target is "pod/<name>" or "service/<name>"), and returns its address. It ends with ctx.
func (l *Lab) PortForward(ctx context.Context, namespace, target string, port int) (string, error) {
	kubectl, err := l.Tool(ctx, "kubectl")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, kubectl, "--context", l.Context,
		"port-forward", "-n", namespace, target, fmt.Sprintf(":%d", port))
	if l.Context == "" {
		cmd.Env = append(os.Environ(), "KUBECONFIG="+l.Kubeconfig)
	}
	cmd.Stderr = l.Progress
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting kubectl port-forward: %w", err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if match := forwarding.FindStringSubmatch(lines.Text()); match != nil {
			go func() {
				for lines.Scan() { // or kubectl would wait for a reader
				}
			}()
			return match[1], nil
		}
	}
	return "", fmt.Errorf("kubectl port-forward to %s of namespace %s ended: %w", target, namespace, errors.Join(lines.Err(), cmd.Wait()))
}
