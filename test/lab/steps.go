// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// appVersion is the chart's: the tag of the image that it runs by default.
func (l *Lab) appVersion() (string, error) {
	content, err := os.ReadFile(filepath.Join(l.Root, "charts/tars-operator/Chart.yaml"))
	if err != nil {
		return "", fmt.Errorf("reading the chart's version: %w", err)
	}
	var chart struct {
		AppVersion string `json:"appVersion"`
	}
	if err := yaml.Unmarshal(content, &chart); err != nil {
		return "", fmt.Errorf("reading the chart's version: %w", err)
	}
	return chart.AppVersion, nil
}

// workFolder holds what the lab makes: outside of the checkout, so that a
// checkout stays as it was.
func (l *Lab) workFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for a folder for the lab: %w", err)
	}
	if named := os.Getenv("TARS_OPERATOR_CACHE"); named != "" {
		cache = named
	}
	dir := filepath.Join(cache, "tars-operator-lab-"+l.Name)
	return dir, os.MkdirAll(dir, 0o700)
}

func (l *Lab) file(name string) string { return filepath.Join(l.Work, name) }

// BuildOperatorImage builds the image of a checkout under a tag, beside that of
// the lab. It returns the image's tar and the program that the image holds.
func (l *Lab) BuildOperatorImage(ctx context.Context, checkout, tag string) (tar, binary string, err error) {
	p := operator(checkout, tag)
	if err := os.MkdirAll(l.file(tag), 0o700); err != nil {
		return "", "", fmt.Errorf("making a folder for an image: %w", err)
	}
	// The program's name is the one in the image too.
	p.name = filepath.Join(tag, p.name)
	tar, err = l.image(ctx, p)
	return tar, l.file(p.name), err
}

// Program is that of this checkout, as its image holds it.
func (l *Lab) Program() string { return l.file(operatorProgram) }

func operator(checkout, tag string) program {
	return program{
		root: checkout, pkg: ".", name: operatorProgram, ref: operatorImage + ":" + tag, ldflags: "-s -w -X main.version=" + tag,
	}
}

func (l *Lab) buildImages(ctx context.Context) error {
	if _, err := l.image(ctx, operator(l.Root, l.Version)); err != nil || l.Outside != nil {
		return err
	}
	_, err := l.image(ctx, program{root: l.Root, pkg: "./test/tarsfake", name: "tarsfake", ref: standInImage, ldflags: "-s -w"})
	return err
}

// program is one of a checkout and the image that holds it.
type program struct {
	// root is the checkout's top folder.
	root, pkg string
	// name is that of the files that are made of it.
	name, ref, ldflags string
}

// image builds a program and its image, and returns the image's tar.
func (l *Lab) image(ctx context.Context, p program) (string, error) {
	binary, tar := l.file(p.name), l.file(p.name+".tar")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", p.ldflags, "-o", binary, p.pkg)
	cmd.Dir = p.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w: %s", p.pkg, err, out)
	}
	_, err := l.Cluster(ctx, "image", "--ref", p.ref, "--binary", binary, "--out", tar)
	return tar, err
}

func (l *Lab) startCluster(ctx context.Context) error {
	up := []string{"up", "--name", l.Name}
	switch {
	case l.Outside == nil:
		// The stand-in's certificate authority is one that Envoy's image trusts:
		// the sample needs no change to reach the stand-in under TARS's name.
		if err := l.makeCertificate(ctx); err != nil {
			return err
		}
		up = append(up, "--trust-ca", filepath.Join(l.file("tls"), "ca.crt"))
	case l.Outside.TrustCA != "":
		up = append(up, "--trust-ca", l.Outside.TrustCA)
	}
	if _, err := l.Cluster(ctx, up...); err != nil {
		return err
	}
	kubeconfig, err := l.Cluster(ctx, "kubeconfig", "--name", l.Name)
	l.Kubeconfig = kubeconfig
	return err
}

// makeCertificate makes the stand-in's, once.
func (l *Lab) makeCertificate(ctx context.Context) error {
	if out, err := exec.CommandContext(ctx, l.file("tarsfake"), "certificate", "--out", l.file("tls")).CombinedOutput(); err != nil {
		return fmt.Errorf("making the stand-in's certificate: %w: %s", err, out)
	}
	return nil
}

func (l *Lab) loadImages(ctx context.Context) error {
	load := []string{"load", "--name", l.Name, l.file(operatorProgram + ".tar")}
	if l.Outside == nil {
		load = append(load, l.file("tarsfake.tar"))
	}
	_, err := l.Cluster(ctx, load...)
	return err
}

func (l *Lab) installGateway(ctx context.Context) error {
	_, err := l.Cluster(ctx, "gateway", "--name", l.Name)
	return err
}

// openWayOut lets Envoy reach the real service, and nothing else outside.
func (l *Lab) openWayOut(ctx context.Context) error {
	args := []string{"egress", "--name", l.Name}
	if l.Outside.Via != "" {
		args = append(args, "--via", l.Outside.Via)
	}
	_, err := l.Cluster(ctx, append(args, endpoint+":443")...)
	return err
}

// standInWithName deploys the stand-in and gives it TARS's name in the cluster.
func (l *Lab) standInWithName(ctx context.Context) error {
	if err := l.deployStandIn(ctx, standInImage); err != nil {
		return err
	}
	ip, err := l.Kubectl(ctx, "", "get", "service", "-n", StandInNamespace, "tarsfake", "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	_, err = l.Cluster(ctx, "alias", "--name", l.Name, endpoint+"="+strings.TrimSpace(ip))
	return err
}

// deployStandIn runs the stand-in.
func (l *Lab) deployStandIn(ctx context.Context, image string) error {
	if _, err := l.Kubectl(ctx, standInNamespaceManifest, "apply", "-f", "-"); err != nil {
		return err
	}
	tls := l.file("tls")
	secret, err := l.Kubectl(ctx, "", "create", "secret", "generic", "tarsfake-tls", "-n", StandInNamespace,
		"--from-file=tls.crt="+filepath.Join(tls, "tls.crt"), "--from-file=tls.key="+filepath.Join(tls, "tls.key"),
		"--from-file=ca.crt="+filepath.Join(tls, "ca.crt"), "--dry-run=client", "-o", "yaml")
	if err != nil {
		return err
	}
	for _, manifest := range []string{secret, strings.ReplaceAll(standInManifest, standInImage, image)} {
		if _, err := l.Kubectl(ctx, manifest, "apply", "-f", "-"); err != nil {
			return err
		}
	}
	_, err = l.Kubectl(ctx, "", "rollout", "status", "-n", StandInNamespace, "deployment/tarsfake", "--timeout=2m")
	return err
}
