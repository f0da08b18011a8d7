// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Where things are, from this folder.
const (
	rootDir   = "../.."
	chartDir  = rootDir + "/charts/tars-operator"
	configDir = rootDir + "/config"
)

// What the chart is installed as where a test does not say otherwise: then its
// names are those of the kustomize tree.
const (
	releaseName      = "tars-operator"
	releaseNamespace = "tars-system"
	kubeVersion      = "v1.36.3"
)

// values are values of the chart, as in a file given by --values.
type values = map[string]any

// objects are rendered objects.
type objects []*unstructured.Unstructured

// installation is one `helm template`.
type installation struct {
	values      values
	release     string
	kubeVersion string
	// change makes another chart of ours.
	change func(*chart.Chart)
}

// rendered is what `helm template` and `helm install` print.
type rendered struct {
	objects objects
	// hooks are made by helm test alone.
	hooks objects
	notes string
}

// template renders the chart without a cluster.
func (i installation) template() (rendered, error) {
	ours, err := loader.Load(chartDir)
	if err != nil {
		return rendered{}, err
	}
	if i.change != nil {
		i.change(ours)
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly = true, true
	install.ReleaseName, install.Namespace = releaseName, releaseNamespace
	if i.release != "" {
		install.ReleaseName = i.release
	}
	version := kubeVersion
	if i.kubeVersion != "" {
		version = i.kubeVersion
	}
	if install.KubeVersion, err = chartutil.ParseKubeVersion(version); err != nil {
		return rendered{}, err
	}
	release, err := install.Run(ours, i.values)
	if err != nil {
		return rendered{}, err
	}
	out := rendered{notes: release.Info.Notes}
	if out.objects, err = parse([]byte(release.Manifest)); err != nil {
		return rendered{}, err
	}
	for _, hook := range release.Hooks {
		parsed, err := parse([]byte(hook.Manifest))
		if err != nil {
			return rendered{}, err
		}
		out.hooks = append(out.hooks, parsed...)
	}
	return out, nil
}

// helmTemplate renders the chart with values; it has to succeed.
func helmTemplate(v values) objects {
	out, err := installation{values: v}.template()
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return out.objects
}

// kustomizeBuild renders a folder below config/. Edits are applied to a copy of
// the tree first; each has to change its file.
func kustomizeBuild(dir string, edits ...edit) objects {
	disk := filesys.MakeFsInMemory()
	ExpectWithOffset(1, copyTree(configDir, disk)).To(Succeed())
	for _, e := range edits {
		before, err := disk.ReadFile(e.file)
		ExpectWithOffset(1, err).NotTo(HaveOccurred())
		after := strings.ReplaceAll(string(before), e.old, e.new)
		ExpectWithOffset(1, after).NotTo(Equal(string(before)), "%s holds no %q", e.file, e.old)
		ExpectWithOffset(1, disk.WriteFile(e.file, []byte(after))).To(Succeed())
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	text, err := resources.AsYaml()
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	parsed, err := parse(text)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return parsed
}

// edit is a change that a user makes to a file below config/.
type edit struct{ file, old, new string }

func copyTree(from string, to filesys.FileSystem) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return to.WriteFile(name, content)
	})
}

// parse reads a stream of YAML documents. A key that stands twice in a map is an
// error: only one of the two would reach the API server.
func parse(stream []byte) (objects, error) {
	reader := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(stream)))
	defer func() { _ = reader.Close() }()
	var out objects
	buffer := make([]byte, len(stream)+1)
	for {
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		content := values{}
		if err := yaml.UnmarshalStrict(buffer[:n], &content); err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, buffer[:n])
		}
		if len(content) == 0 {
			continue
		}
		// By JSON numbers become int64, as unstructured objects want them.
		text, err := yaml.YAMLToJSON(buffer[:n])
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		out = append(out, object)
	}
}

// key names an object within a cluster.
func key(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", o.GroupVersionKind().GroupKind(), o.GetNamespace(), o.GetName())
}

// byKey sorts objects into a map; two of the same name are an error.
func (o objects) byKey() map[string]*unstructured.Unstructured {
	out := map[string]*unstructured.Unstructured{}
	for _, object := range o {
		ExpectWithOffset(1, out).NotTo(HaveKey(key(object)), "rendered twice")
		out[key(object)] = object
	}
	return out
}

// kind returns the objects of a kind.
func (o objects) kind(kind string) objects {
	var out objects
	for _, object := range o {
		if object.GetKind() == kind {
			out = append(out, object)
		}
	}
	return out
}
