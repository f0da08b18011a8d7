// SPDX-License-Identifier: Apache-2.0

// Package image writes a container image of one layer as a docker-archive tar
// without a container engine. The same files give the same bytes.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
)

// Image describes an image that is built from nothing.
type Image struct {
	// Name is "<repository>:<tag>".
	Name string
	// Entrypoint, User and Env are those of the image's configuration.
	Entrypoint []string
	User       string
	Env        []string
	// Files maps paths in the image, without a leading slash, to files here.
	Files map[string]string
	// Folders are further folders, writable by all.
	Folders []string
}

// WriteTar writes the image to a file.
func (i Image) WriteTar(target string) error {
	layer, err := i.layer()
	if err != nil {
		return fmt.Errorf("writing image %s: %w", i.Name, err)
	}
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": i.Entrypoint, "User": i.User, "Env": i.Env},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		return fmt.Errorf("describing image %s: %w", i.Name, err)
	}
	configSum := sha256.Sum256(config)
	configName := hex.EncodeToString(configSum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{
		{"Config": configName, "RepoTags": []string{i.Name}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return fmt.Errorf("listing image %s: %w", i.Name, err)
	}
	return writeArchive(target, []entry{{configName, config}, {"layer.tar", layer}, {"manifest.json", manifest}})
}

type entry struct {
	name    string
	content []byte
}

func writeArchive(target string, entries []entry) (err error) {
	out, err := os.Create(target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	archive := tar.NewWriter(out)
	for _, e := range entries {
		if err := archive.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content))}); err != nil {
			return err
		}
		if _, err := archive.Write(e.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (i Image) layer() ([]byte, error) {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, folder := range i.folders() {
		mode := int64(0o755)
		if slices.Contains(i.Folders, folder) {
			mode = 0o1777
		}
		header := &tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: mode}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		if err := addFile(archive, name, i.Files[name]); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return out.Bytes(), err
}

// folders are all folders of the image, parents first.
func (i Image) folders() []string {
	set := map[string]bool{}
	for _, name := range append(slices.Collect(maps.Keys(i.Files)), i.Folders...) {
		for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
			set[dir] = true
		}
	}
	for _, folder := range i.Folders {
		set[folder] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func addFile(archive *tar.Writer, name, source string) (err error) {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	// All files may be read and run by all: images hold programs, libraries
	// and certificates, and their user owns nothing.
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}
