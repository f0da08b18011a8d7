// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"sigs.k8s.io/yaml"
)

// Names in a Context's cluster.
const (
	// DemoNamespace is where the demo's own objects are.
	DemoNamespace = "tars-demo"
	// StandInHost is the stand-in's name, which its certificate holds too.
	StandInHost = "tarsfake." + StandInNamespace + ".svc.cluster.local"

	gatewayNamespace = "envoy-gateway-system"
	classController  = "gateway.envoyproxy.io/gatewayclass-controller"
	// demoMark is on what the demo made: a label, and the description of
	// Helm's releases.
	demoLabel = "tars-operator/demo"
	demoMark  = "made by make demo"
)

// borrowSteps are Up's for a cluster that somebody else made.
func (l *Lab) borrowSteps() []step {
	steps := []step{{"the images of this checkout", l.buildImages}}
	if l.loader() != nil {
		steps = append(steps, step{"loading the images", l.loadIntoContext})
	}
	steps = append(steps, step{"Envoy Gateway", l.borrowGateway}, step{"namespaces", l.makeNamespaces})
	if l.Outside == nil {
		steps = append(steps, step{"the stand-in for TARS", l.borrowStandIn})
	}
	return steps
}

func (l *Lab) loadIntoContext(ctx context.Context) error {
	load := l.loader()
	for _, tar := range []string{operatorProgram + ".tar", "tarsfake.tar"} {
		if tar == "tarsfake.tar" && l.Outside != nil {
			continue
		}
		args := append(append(append([]string{}, load.args...), l.file(tar)), load.more...)
		if out, err := exec.CommandContext(ctx, load.tool, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", load.tool, strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// borrowGateway takes Envoy Gateway as it is. It installs one, if a human says
// so, and changes none.
func (l *Lab) borrowGateway(ctx context.Context) error {
	found, err := l.Kubectl(ctx, "", "get", "deployments", "--all-namespaces", "-l", "control-plane=envoy-gateway",
		"-o", `jsonpath={range .items[*]}{.metadata.namespace} {.spec.template.spec.containers[0].image}{"\n"}{end}`)
	if err != nil {
		return err
	}
	fields := strings.Fields(found)
	if len(fields) == 0 {
		return l.installGatewayIntoContext(ctx)
	}
	if len(fields) > 2 {
		return fmt.Errorf("context %s has more than one Envoy Gateway: the demo does not choose between them", l.Context)
	}
	l.say("  found %s in namespace %s", fields[1], fields[0])
	return l.checkBackendAPI(ctx, fields[0])
}

func (l *Lab) installGatewayIntoContext(ctx context.Context) error {
	if err := l.Confirm(fmt.Sprintf("Context %s has no Envoy Gateway. Install it with its CRDs (Helm release eg, namespace %s)?",
		l.Context, gatewayNamespace)); err != nil {
		return err
	}
	chart, err := l.Tool(ctx, "gateway-chart")
	if err != nil {
		return err
	}
	_, err = l.Helm(ctx, "install", "eg", chart, "--namespace", gatewayNamespace, "--create-namespace", "--wait", "--timeout", "5m",
		"--description", demoMark, "--set", "config.envoyGateway.extensionApis.enableBackend=true")
	return err
}

// checkBackendAPI says how to switch the Backend API on, where it is off.
func (l *Lab) checkBackendAPI(ctx context.Context, namespace string) error {
	content, err := l.Kubectl(ctx, "", "get", "configmap", "-n", namespace, "envoy-gateway-config",
		"-o", `jsonpath={.data.envoy-gateway\.yaml}`)
	if err != nil {
		return err
	}
	var config struct {
		ExtensionAPIs struct {
			EnableBackend bool `json:"enableBackend"`
		} `json:"extensionApis"`
	}
	if err := yaml.Unmarshal([]byte(content), &config); err != nil {
		return fmt.Errorf("reading Envoy Gateway's configuration: %w", err)
	}
	if !config.ExtensionAPIs.EnableBackend {
		return fmt.Errorf("the Envoy Gateway in namespace %s of context %s has its Backend API switched off: upgrade its Helm release with "+
			"--reuse-values --set config.envoyGateway.extensionApis.enableBackend=true, and run the demo again", namespace, l.Context)
	}
	return nil
}

// makeNamespaces makes those that do not exist yet, and marks them as ours.
func (l *Lab) makeNamespaces(ctx context.Context) error {
	for _, name := range []string{DemoNamespace, OperatorNamespace} {
		found, err := l.Kubectl(ctx, "", "get", "namespace", name, "--ignore-not-found", "-o", "name")
		if err != nil {
			return err
		}
		if found != "" {
			continue
		}
		manifest := fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {%s: made}}}", name, demoLabel)
		if _, err := l.Kubectl(ctx, manifest, "apply", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) borrowStandIn(ctx context.Context) error {
	if err := l.makeCertificate(ctx); err != nil {
		return err
	}
	image := standInImage
	if l.Images.StandIn != "" {
		image = l.Images.StandIn
	}
	if err := l.deployStandIn(ctx, image); err != nil {
		return err
	}
	if _, err := l.Kubectl(ctx, "", "label", "namespace", StandInNamespace, demoLabel+"=made", "--overwrite"); err != nil {
		return err
	}
	ca, err := l.Kubectl(ctx, "", "create", "configmap", "tarsfake-ca", "-n", DemoNamespace,
		"--from-file=ca.crt="+l.file("tls")+"/ca.crt", "--dry-run=client", "-o", "yaml")
	if err != nil {
		return err
	}
	_, err = l.Kubectl(ctx, ca, "apply", "-f", "-")
	return err
}

// GatewayClass is one of Envoy Gateway's; it is made where there is none.
func (l *Lab) GatewayClass(ctx context.Context) (string, error) {
	found, err := l.Kubectl(ctx, "", "get", "gatewayclass", "-o",
		`jsonpath={range .items[?(@.spec.controllerName=="`+classController+`")]}{.metadata.name}{"\n"}{end}`)
	if err != nil {
		return "", err
	}
	if names := strings.Fields(found); len(names) > 0 {
		return names[0], nil
	}
	_, err = l.Kubectl(ctx, fmt.Sprintf(
		"{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: eg, labels: {%s: made}}, spec: {controllerName: %s}}",
		demoLabel, classController), "apply", "-f", "-")
	return "eg", err
}

// InstallOperator installs this checkout's chart, as README does. Values are
// further arguments for Helm.
func (l *Lab) InstallOperator(ctx context.Context, values ...string) error {
	args := []string{"upgrade", "--install", "tars-operator", "charts/tars-operator",
		"--namespace", OperatorNamespace, "--create-namespace", "--wait"}
	if l.Context != "" {
		there, ours, err := l.release(ctx, "tars-operator", OperatorNamespace)
		if err != nil {
			return err
		}
		if there && !ours {
			if err := l.Confirm("Helm release tars-operator exists already. Upgrade it to this checkout, and leave it there?"); err != nil {
				return err
			}
		} else {
			args = append(args, "--description", demoMark)
		}
	}
	if l.Images.Operator != "" {
		image, err := imageValues(l.Images.Operator)
		if err != nil {
			return err
		}
		args = append(args, image...)
	}
	_, err := l.Helm(ctx, append(args, values...)...)
	return err
}

// imageValues are the chart's for an image reference.
func imageValues(reference string) ([]string, error) {
	registry, repository := "", reference
	if first, rest, found := strings.Cut(reference, "/"); found && strings.ContainsAny(first, ".:") {
		registry, repository = first, rest
	}
	repository, tag, found := strings.Cut(repository, ":")
	if !found || repository == "" || tag == "" || strings.Contains(reference, "@") {
		return nil, errors.New("DEMO_IMAGE is not of the form REGISTRY/REPOSITORY:TAG: " + reference)
	}
	return []string{
		"--set", "manager.image.registry=" + registry, "--set", "manager.image.repository=" + repository, "--set", "manager.image.tag=" + tag,
	}, nil
}
