// SPDX-License-Identifier: Apache-2.0

package node

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/sys/unix"

	"github.com/tars-operator/tars-operator/test/cluster/internal/cgroup"
)

// templates are the configuration files of the node's programs, at the paths
// that they have below a cluster's folder.
//
//go:embed templates
var templates embed.FS

// folders are made beside them.
var folders = []string{
	"logs", "etcd", "kubelet", "kubelet-pki", "containerd", "containerd-opt", "pod-logs", "volume-plugins",
}

// settings are what the templates are filled with.
type settings struct {
	Dir, NodeName, PodNetwork, NodePodNetwork, DNSAddress              string
	ContainerdSocket, PodsCgroup, PauseImage, CNIPrograms, Snapshotter string
}

// WriteConfiguration writes the configuration files of the programs. A pod
// is held together by a container of pauseImage.
func (l Layout) WriteConfiguration(pauseImage string) error {
	for _, dir := range folders {
		if err := os.MkdirAll(l.path(dir), 0o700); err != nil {
			return fmt.Errorf("making a folder of the cluster: %w", err)
		}
	}
	snapshotter, err := snapshotterFor(l.Dir)
	if err != nil {
		return err
	}
	values := settings{
		Dir: l.Dir, NodeName: nodeName, PodNetwork: podNetwork, NodePodNetwork: nodePodNetwork, DNSAddress: DNSAddress,
		ContainerdSocket: containerdSocket, PodsCgroup: l.Cgroup() + "/" + cgroup.Pods, PauseImage: pauseImage,
		CNIPrograms: cniPrograms(), Snapshotter: snapshotter,
	}
	parsed := func(path string) error {
		content, err := templates.ReadFile(path)
		if err != nil {
			return err
		}
		t, err := template.New(path).Option("missingkey=error").Parse(string(content))
		if err != nil {
			return err
		}
		var filled strings.Builder
		if err := t.Execute(&filled, values); err != nil {
			return err
		}
		target := l.path(strings.TrimPrefix(path, "templates/"))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(filled.String()), 0o600)
	}
	err = fs.WalkDir(templates, "templates", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return parsed(path)
	})
	if err != nil {
		return fmt.Errorf("writing the cluster's configuration: %w", err)
	}
	return nil
}

// snapshotterFor is how containerd puts images together below a folder:
// where that is an overlay itself, as in a container, it has to copy them.
func snapshotterFor(dir string) (string, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return "", fmt.Errorf("asking for the file system of %s: %w", dir, err)
	}
	if stat.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}

// cniPrograms is the folder of the CNI plugins: Debian's, or the usual one.
func cniPrograms() string {
	const debian = "/usr/lib/cni"
	if _, err := os.Stat(debian + "/bridge"); err == nil {
		return debian
	}
	return "/opt/cni/bin"
}
