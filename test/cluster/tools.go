// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"

	"github.com/tars-operator/tars-operator/test/cluster/internal/image"
)

// tool prints where a program is, after building it if needed.
func tool(e env, args []string) error {
	if len(args) != 1 {
		return errors.New("tool takes one name")
	}
	path, err := e.tool(args[0])
	if err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

func (e env) tool(name string) (string, error) {
	within := func(dir string, err error) (string, error) { return filepath.Join(dir, name), err }
	switch name {
	case "kube":
		return e.builder.Kube()
	case "kubectl":
		return within(e.builder.Kube())
	case "helm":
		return within(e.builder.Helm())
	case "envoy":
		return within(e.builder.Envoy())
	case "envoy-gateway":
		return within(e.builder.EnvoyGateway())
	case "gateway-chart":
		return e.builder.GatewayChart()
	default:
		return "", fmt.Errorf("there is no tool %q", name)
	}
}

// writeImage writes an image of one binary.
func writeImage(_ env, args []string) error {
	var name, binary, out, entrypoint string
	if _, err := flags("image", args, func(set *flag.FlagSet) {
		set.StringVar(&name, "ref", "", "`REPO:TAG`")
		set.StringVar(&binary, "binary", "", "the static binary")
		set.StringVar(&out, "out", "", "the tar to write")
		set.StringVar(&entrypoint, "entrypoint", "", "its path in the image (default: / and the binary's name)")
	}); err != nil {
		return err
	}
	if name == "" || binary == "" || out == "" {
		return errors.New("image needs --ref, --binary and --out")
	}
	if entrypoint == "" {
		entrypoint = "/" + filepath.Base(binary)
	}
	return image.Image{
		Name: name, Entrypoint: []string{entrypoint}, User: "65532:65532",
		Files: map[string]string{entrypoint[1:]: binary},
	}.WriteTar(out)
}
