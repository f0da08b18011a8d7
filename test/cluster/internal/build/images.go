// SPDX-License-Identifier: Apache-2.0

package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tars-operator/tars-operator/test/cluster/internal/image"
)

// Images that the cluster preloads.
const (
	pauseImage   = "localhost/pause:1"
	corednsImage = "localhost/coredns:1"
	gatewayImage = "docker.io/envoyproxy/gateway:" + EnvoyGatewayVersion
	// EnvoyImage is the image to name for Envoy.
	EnvoyImage = "docker.io/envoyproxy/envoy:v" + EnvoyVersion
)

const nonroot = "65532:65532"

// PauseImage is the image of pods' sandboxes.
const PauseImage = pauseImage

// Preloaded makes the images that every cluster holds and returns their tars.
// caFile, where not empty, holds further certificate authorities that Envoy's
// image trusts as system ones.
func (b Builder) Preloaded(caFile string) ([]string, error) {
	makers := []func() (string, error){
		b.pause, b.corednsTar, b.gatewayTar, func() (string, error) { return b.envoyTar(caFile) },
	}
	tars := make([]string, 0, len(makers))
	for _, maker := range makers {
		tar, err := maker()
		if err != nil {
			return nil, err
		}
		tars = append(tars, tar)
	}
	return tars, nil
}

func (b Builder) pause() (string, error) {
	key, err := b.sources("test/cluster/pause")
	if err != nil {
		return "", err
	}
	return b.imageTar("image-pause", key, func(dir string) (image.Image, error) {
		binary := filepath.Join(dir, "pause")
		err := b.goBuild(".", binary, "./test/cluster/pause", "")
		return image.Image{
			Name: pauseImage, Entrypoint: []string{"/pause"}, User: nonroot,
			Files: map[string]string{"pause": binary},
		}, err
	})
}

func (b Builder) corednsTar() (string, error) {
	dir, err := b.CoreDNS()
	if err != nil {
		return "", err
	}
	return b.imageTar("image-coredns", dir, func(string) (image.Image, error) {
		return image.Image{
			Name: corednsImage, Entrypoint: []string{"/coredns"}, User: nonroot,
			Files: map[string]string{"coredns": filepath.Join(dir, "coredns")},
		}, nil
	})
}

func (b Builder) gatewayTar() (string, error) {
	dir, err := b.EnvoyGateway()
	if err != nil {
		return "", err
	}
	return b.imageTar("image-envoy-gateway", dir+"2", func(scratch string) (image.Image, error) {
		empty := filepath.Join(scratch, "empty")
		return image.Image{
			Name: gatewayImage, Entrypoint: []string{"/usr/local/bin/envoy-gateway"}, User: nonroot,
			Env:     []string{"PATH=/usr/local/bin"},
			Folders: []string{"tmp", "var/lib/eg"},
			Files: map[string]string{
				"usr/local/bin/envoy-gateway": filepath.Join(dir, "envoy-gateway"),
				"var/lib/eg/.keep":            empty,
			},
		}, os.WriteFile(empty, nil, 0o600)
	})
}

// envoyTar holds Envoy, the C library that it was linked against (the
// machine's own) and the certificate authorities it trusts.
func (b Builder) envoyTar(caFile string) (string, error) {
	dir, err := b.Envoy()
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
	libraries, err := b.libraries(filepath.Join(dir, "envoy"))
	if err != nil {
		return "", err
	}
	key := dir + fmt.Sprint(libraries) + string(roots)
	return b.imageTar("image-envoy", key, func(scratch string) (image.Image, error) {
		bundle := filepath.Join(scratch, "roots.pem")
		files := map[string]string{
			"usr/local/bin/envoy":               filepath.Join(dir, "envoy"),
			"etc/ssl/certs/ca-certificates.crt": bundle,
		}
		for _, library := range libraries {
			files[strings.TrimPrefix(library, "/")] = library
		}
		return image.Image{
			Name: EnvoyImage, Entrypoint: []string{"/usr/local/bin/envoy"}, User: nonroot,
			Env: []string{"PATH=/usr/local/bin"}, Folders: []string{"tmp"}, Files: files,
		}, os.WriteFile(bundle, roots, 0o600)
	})
}

// libraries asks the loader which files a program needs.
func (b Builder) libraries(program string) ([]string, error) {
	out, err := b.run("", nil, "ldd", program)
	if err != nil {
		return nil, fmt.Errorf("finding the libraries of Envoy: %w", err)
	}
	var paths []string
	for line := range strings.Lines(out) {
		for field := range strings.FieldsSeq(line) {
			if strings.HasPrefix(field, "/") {
				paths = append(paths, field)
				break
			}
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("ldd named no library of Envoy: is this a glibc system?")
	}
	return paths, nil
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

func (b Builder) imageTar(name, key string, describe func(scratch string) (image.Image, error)) (string, error) {
	dir, err := b.make(name, key, func(dir string) error {
		scratch, err := os.MkdirTemp(b.Cache, name+"-scratch-")
		if err != nil {
			return err
		}
		described, err := describe(scratch)
		if err == nil {
			err = described.WriteTar(filepath.Join(dir, "image.tar"))
		}
		return errors.Join(err, os.RemoveAll(scratch))
	})
	return filepath.Join(dir, "image.tar"), err
}
