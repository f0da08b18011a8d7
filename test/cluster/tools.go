// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tars-operator/tars-operator/test/cluster/internal/image"
)

// tool prints where a program is, after building it if needed.
func tool(ctx context.Context, e env, args []string) error {
	if len(args) != 1 {
		return errors.New("tool takes one name")
	}
	path, err := e.tool(ctx, args[0])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.out, path)
	return err
}

func (e env) tool(ctx context.Context, name string) (string, error) {
	makers := map[string]struct {
		make   func(context.Context) (string, error)
		within string
	}{
		"kube":          {e.builder.Kube, ""},
		"kubectl":       {e.builder.Kube, name},
		"helm":          {e.builder.Helm, name},
		"helm4":         {e.builder.Helm4, name},
		"envoy":         {e.builder.Envoy, name},
		"envoy-gateway": {e.builder.EnvoyGateway, name},
		"coredns":       {e.builder.CoreDNS, name},
		"gateway-chart": {e.builder.GatewayChart, ""},
		"otelcol":       {e.builder.Collector, name},
		"prometheus":    {e.builder.Prometheus, name},
		"promtool":      {e.builder.Prometheus, name},
	}
	maker, ok := makers[name]
	if !ok {
		return "", fmt.Errorf("there is no tool %q; see test/cluster/cluster help", name)
	}
	dir, err := maker.make(ctx)
	return filepath.Join(dir, maker.within), err
}

// files map paths in an image to files here.
type files map[string]string

// String and Set make files a flag that may be given often.
func (f files) String() string { return fmt.Sprint(map[string]string(f)) }

// Set takes PATH=FILE.
func (f files) Set(text string) error {
	path, file, found := strings.Cut(text, "=")
	path, err := insideImage(path)
	if !found || file == "" || err != nil {
		return fmt.Errorf("%q is not of the form /PATH=FILE", text)
	}
	f[path] = file
	return nil
}

// insideImage is an absolute path as an image's tar writes it.
func insideImage(path string) (string, error) {
	clean := filepath.Clean(path)
	if !filepath.IsAbs(clean) || clean == "/" {
		return "", fmt.Errorf("%q is no absolute path of a file", path)
	}
	return clean[1:], nil
}

// writeImage writes an image of one binary.
func writeImage(_ context.Context, _ env, args []string) error {
	var name, binary, out, entrypoint string
	further := files{}
	rest, err := parse("image", args, func(set *flag.FlagSet) {
		set.StringVar(&name, "ref", "", "")
		set.StringVar(&binary, "binary", "", "")
		set.StringVar(&out, "out", "", "")
		set.StringVar(&entrypoint, "entrypoint", "", "")
		set.Var(further, "file", "")
	})
	if err := none("image", rest, err); err != nil {
		return err
	}
	if name == "" || binary == "" || out == "" {
		return errors.New("image needs --ref, --binary and --out")
	}
	if entrypoint == "" {
		entrypoint = "/" + filepath.Base(binary)
	}
	path, err := insideImage(entrypoint)
	if err != nil {
		return fmt.Errorf("--entrypoint: %w", err)
	}
	further[path] = binary
	return image.Image{Name: name, Entrypoint: []string{"/" + path}, User: "65532:65532", Files: further}.WriteTar(out)
}
