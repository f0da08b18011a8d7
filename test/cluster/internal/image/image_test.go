// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// member is one file or folder of a tar.
type member struct {
	header  *tar.Header
	content []byte
}

func members(archive []byte) []member {
	GinkgoHelper()
	var all []member
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		Expect(err).NotTo(HaveOccurred())
		content, err := io.ReadAll(reader)
		Expect(err).NotTo(HaveOccurred())
		all = append(all, member{header, content})
	}
}

func find(all []member, name string) member {
	GinkgoHelper()
	i := slices.IndexFunc(all, func(m member) bool { return m.header.Name == name })
	Expect(i).To(BeNumerically(">=", 0), "no member %s", name)
	return all[i]
}

var _ = Describe("WriteTar", func() {
	var (
		dir       string
		described Image
	)

	BeforeEach(func() {
		dir = GinkgoT().TempDir()
		binary := filepath.Join(dir, "binary")
		Expect(os.WriteFile(binary, []byte("\x7fELF program"), 0o600)).To(Succeed())
		described = Image{
			Name: "example.com/team/app:v1.2", Entrypoint: []string{"/usr/bin/app", "serve"}, User: "65532:65532",
			Env:   []string{"PATH=/usr/bin"},
			Files: map[string]string{"usr/bin/app": binary, "etc/app/config": binary}, Folders: []string{"tmp", "var/lib/app"},
		}
	})

	write := func() []byte {
		GinkgoHelper()
		target := filepath.Join(dir, "image.tar")
		Expect(described.WriteTar(target)).To(Succeed())
		content, err := os.ReadFile(target)
		Expect(err).NotTo(HaveOccurred())
		return content
	}

	It("lists one image of one layer", func() {
		archive := members(write())
		var manifest []struct {
			Config   string
			RepoTags []string
			Layers   []string
		}
		Expect(json.Unmarshal(find(archive, "manifest.json").content, &manifest)).To(Succeed())
		Expect(manifest).To(HaveLen(1))
		Expect(manifest[0].RepoTags).To(Equal([]string{"example.com/team/app:v1.2"}))
		Expect(manifest[0].Layers).To(HaveLen(1))
		config := find(archive, manifest[0].Config).content
		sum := sha256.Sum256(config)
		Expect(manifest[0].Config).To(Equal(hex.EncodeToString(sum[:]) + ".json"))

		var image struct {
			Architecture, OS string
			Config           struct {
				Entrypoint []string
				User       string
				Env        []string
			}
			RootFS struct {
				Type    string
				DiffIDs []string `json:"diff_ids"`
			}
		}
		Expect(json.Unmarshal(config, &image)).To(Succeed())
		Expect(image.Architecture).To(Equal(runtime.GOARCH))
		Expect(image.OS).To(Equal("linux"))
		Expect(image.Config.Entrypoint).To(Equal([]string{"/usr/bin/app", "serve"}))
		Expect(image.Config.User).To(Equal("65532:65532"))
		Expect(image.Config.Env).To(Equal([]string{"PATH=/usr/bin"}))
		layer := sha256.Sum256(find(archive, manifest[0].Layers[0]).content)
		Expect(image.RootFS.Type).To(Equal("layers"))
		Expect(image.RootFS.DiffIDs).To(Equal([]string{"sha256:" + hex.EncodeToString(layer[:])}))
	})

	It("holds the files, and each folder before what is in it", func() {
		layer := members(find(members(write()), "layer.tar").content)
		names := make([]string, 0, len(layer))
		for _, m := range layer {
			names = append(names, m.header.Name)
		}
		Expect(names).To(Equal([]string{
			"etc/", "etc/app/", "tmp/", "usr/", "usr/bin/", "var/", "var/lib/", "var/lib/app/",
			"etc/app/config", "usr/bin/app",
		}))
		app := find(layer, "usr/bin/app")
		Expect(string(app.content)).To(Equal("\x7fELF program"))
		Expect(app.header.Mode).To(Equal(int64(0o755)), "whatever its mode here, all may run it")
		Expect(app.header.Uid).To(BeZero())
	})

	It("lets all write only to the folders that are meant for it", func() {
		layer := members(find(members(write()), "layer.tar").content)
		Expect(find(layer, "tmp/").header.Mode).To(Equal(int64(0o1777)))
		Expect(find(layer, "var/lib/app/").header.Mode).To(Equal(int64(0o1777)))
		Expect(find(layer, "var/lib/").header.Mode).To(Equal(int64(0o755)))
		Expect(find(layer, "usr/").header.Typeflag).To(Equal(byte(tar.TypeDir)))
	})

	It("writes the same bytes for the same files", func() {
		Expect(write()).To(Equal(write()))
	})

	It("names the image and the file that is not there", func() {
		described.Files["lib/missing"] = filepath.Join(dir, "missing")
		Expect(described.WriteTar(filepath.Join(dir, "image.tar"))).
			To(MatchError(And(ContainSubstring("example.com/team/app:v1.2"), ContainSubstring("missing"))))
	})
})
