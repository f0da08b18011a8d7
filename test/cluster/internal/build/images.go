// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tars-operator/tars-operator/test/cluster/internal/image"
)

// Images that the cluster preloads.
const (
	// PauseImage is the image of pods' sandboxes.
	PauseImage = "localhost/pause:1"

	corednsImage = "localhost/coredns:1"
	gatewayImage = "docker.io/envoyproxy/gateway:" + EnvoyGatewayVersion
	// EnvoyImage is the image to name for Envoy.
	EnvoyImage = "docker.io/envoyproxy/envoy:v" + EnvoyVersion
)

const (
	nonroot   = "65532:65532"
	imageFile = "image.tar"
)

// Preloaded makes the images that every cluster holds and returns their tars.
// caFile, where not empty, holds further certificate authorities that Envoy's
// image trusts as system ones.
func (b Builder) Preloaded(ctx context.Context, caFile string) ([]string, error) {
	makers := []func(context.Context) (string, error){
		b.pause, b.corednsTar, b.gatewayTar,
		func(ctx context.Context) (string, error) { return b.envoyTar(ctx, caFile) },
	}
	tars := make([]string, 0, len(makers))
	for _, maker := range makers {
		tar, err := maker(ctx)
		if err != nil {
			return nil, err
		}
		tars = append(tars, tar)
	}
	return tars, nil
}

// pause is built here and not in a module of its own: it needs nothing.
func (b Builder) pause(ctx context.Context) (string, error) {
	const folder = "test/cluster/pause"
	key, err := b.sources(folder)
	if err != nil {
		return "", err
	}
	dir, err := b.make(ctx, component{
		name: "pause", key: key, parts: b.goParts(program{module: ".", pkg: "./" + folder, output: "pause"}),
	})
	if err != nil {
		return "", err
	}
	return b.imageTar(ctx, dir, image.Image{
		Name: PauseImage, Entrypoint: []string{"/pause"}, User: nonroot,
		Files: map[string]string{"pause": filepath.Join(dir, "pause")},
	})
}

func (b Builder) corednsTar(ctx context.Context) (string, error) {
	dir, err := b.CoreDNS(ctx)
	if err != nil {
		return "", err
	}
	return b.imageTar(ctx, dir, image.Image{
		Name: corednsImage, Entrypoint: []string{"/coredns"}, User: nonroot,
		Files: map[string]string{"coredns": filepath.Join(dir, "coredns")},
	})
}

func (b Builder) gatewayTar(ctx context.Context) (string, error) {
	dir, err := b.EnvoyGateway(ctx)
	if err != nil {
		return "", err
	}
	return b.imageTar(ctx, dir, image.Image{
		Name: gatewayImage, Entrypoint: []string{"/usr/local/bin/envoy-gateway"}, User: nonroot,
		Env: []string{"PATH=/usr/local/bin"}, Folders: []string{"tmp", "var/lib/eg"},
		Files: map[string]string{"usr/local/bin/envoy-gateway": filepath.Join(dir, "envoy-gateway")},
	})
}

// envoyTar holds Envoy, the C library that it was linked against (the
// machine's own) and the certificate authorities it trusts.
func (b Builder) envoyTar(ctx context.Context, caFile string) (string, error) {
	dir, err := b.Envoy(ctx)
	if err != nil {
		return "", err
	}
	roots, err := systemRoots()
	if err != nil {
		return "", err
	}
	if caFile != "" {
		extra, err := os.ReadFile(caFile)
		if err != nil {
			return "", fmt.Errorf("reading the further certificate authorities: %w", err)
		}
		roots = append(append(roots, '\n'), extra...)
	}
	bundle, err := b.make(ctx, component{name: "ca-roots", key: string(roots), parts: []part{
		{"writing the certificate authorities", func(_ context.Context, dir string) error {
			return os.WriteFile(filepath.Join(dir, "roots.pem"), roots, 0o644)
		}},
	}})
	if err != nil {
		return "", err
	}
	files := map[string]string{
		"usr/local/bin/envoy":               filepath.Join(dir, "envoy"),
		"etc/ssl/certs/ca-certificates.crt": filepath.Join(bundle, "roots.pem"),
	}
	libraries, err := libraries(ctx, filepath.Join(dir, "envoy"))
	if err != nil {
		return "", err
	}
	for _, library := range libraries {
		files[strings.TrimPrefix(library, "/")] = library
	}
	return b.imageTar(ctx, "", image.Image{
		Name: EnvoyImage, Entrypoint: []string{"/usr/local/bin/envoy"}, User: nonroot,
		Env: []string{"PATH=/usr/local/bin"}, Folders: []string{"tmp"}, Files: files,
	})
}

// libraries asks the loader which files a program needs.
func libraries(ctx context.Context, program string) ([]string, error) {
	out, err := run(ctx, command{args: []string{"ldd", program}})
	if err != nil {
		return nil, fmt.Errorf("finding the libraries of Envoy: %w", err)
	}
	paths := loaded(out)
	if len(paths) == 0 {
		return nil, errors.New("ldd named no library of Envoy: is this a glibc system?")
	}
	return paths, nil
}

// loaded reads what ldd prints.
func loaded(output string) []string {
	var paths []string
	for line := range strings.Lines(output) {
		for field := range strings.FieldsSeq(line) {
			if strings.HasPrefix(field, "/") {
				paths = append(paths, field)
				break
			}
		}
	}
	return paths
}

// systemRoots is the machine's bundle of certificate authorities.
func systemRoots() ([]byte, error) {
	for _, path := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} {
		if roots, err := os.ReadFile(path); err == nil {
			return roots, nil
		}
	}
	return nil, errors.New("this machine has no bundle of certificate authorities: install ca-certificates")
}

// imageTar writes an image into the cache. What was built has a folder named
// after what it was built from, so that names say when it changed; for the
// machine's own files, their size and time do.
func (b Builder) imageTar(ctx context.Context, built string, i image.Image) (string, error) {
	var key strings.Builder
	fmt.Fprintf(&key, "%s\n%+v", built, i)
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		info, err := os.Stat(i.Files[name])
		if err != nil {
			return "", fmt.Errorf("looking at what goes into image %s: %w", i.Name, err)
		}
		fmt.Fprintf(&key, "\n%s %d %d", name, info.Size(), info.ModTime().UnixNano())
	}
	name, _, _ := strings.Cut(path.Base(i.Name), ":")
	dir, err := b.make(ctx, component{name: "image-" + name, key: key.String(), parts: []part{
		{"writing image " + i.Name, func(_ context.Context, dir string) error {
			return i.WriteTar(filepath.Join(dir, imageFile))
		}},
	}})
	return filepath.Join(dir, imageFile), err
}
