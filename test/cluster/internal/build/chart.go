// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const gatewayModule = "test/cluster/gateway"

// What a release of the chart has in place of its sources' values.
var (
	chartVersion    = regexp.MustCompile(`(?m)^version: .*$`)
	chartAppVersion = regexp.MustCompile(`(?m)^appVersion: .*$`)
	placeholder     = regexp.MustCompile(`\$\{\w+\}`)
)

// GatewayChart makes Envoy Gateway's Helm chart out of its module, as its
// release does: it fills in the image and the version.
func (b Builder) GatewayChart(ctx context.Context) (string, error) {
	return b.make(ctx, component{name: "gateway-helm", key: EnvoyGatewayVersion + gatewayImage + " 2", parts: []part{
		{"fetching the module", func(ctx context.Context, dir string) error {
			source, err := run(ctx, command{
				dir: filepath.Join(b.Root, gatewayModule), env: goEnv(),
				args: []string{"go", "mod", "download", "-json", "github.com/envoyproxy/gateway"},
			})
			if err != nil {
				return err
			}
			var module struct{ Dir string }
			if err := json.Unmarshal([]byte(source), &module); err != nil {
				return fmt.Errorf("reading what go mod download said: %w", err)
			}
			return copyWritable(dir, os.DirFS(filepath.Join(module.Dir, "charts", "gateway-helm")))
		}},
		{"filling in the version", func(_ context.Context, dir string) error { return fillChart(dir) }},
	}})
}

// copyWritable copies files; those of the module cache can't be written to.
func copyWritable(dir string, source fs.FS) error {
	return fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, path)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
}

// fillChart does to a copy of the chart's sources what a release does.
func fillChart(dir string) error {
	values, err := os.ReadFile(filepath.Join(dir, "values.tmpl.yaml"))
	if err != nil {
		return err
	}
	filled := strings.NewReplacer("${GatewayImage}", gatewayImage, "${GatewayImagePullPolicy}", "IfNotPresent").
		Replace(string(values))
	if left := placeholder.FindString(filled); left != "" {
		return fmt.Errorf("the chart's values have a placeholder that is not known here: %s", left)
	}
	if err := os.WriteFile(filepath.Join(dir, "values.yaml"), []byte(filled), 0o644); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, "values.tmpl.yaml")); err != nil {
		return err
	}
	file := filepath.Join(dir, "Chart.yaml")
	chart, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	chart = chartVersion.ReplaceAll(chart, []byte("version: "+EnvoyGatewayVersion))
	chart = chartAppVersion.ReplaceAll(chart, []byte("appVersion: "+EnvoyGatewayVersion))
	return os.WriteFile(file, chart, 0o644)
}
