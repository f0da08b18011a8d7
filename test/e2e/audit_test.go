// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// apiRequest is one that the API server's audit log tells of.
type apiRequest struct {
	Verb      string
	User      struct{ Username string }
	ObjectRef struct{ Resource, Subresource, Namespace, Name string }
	// RequestReceivedTimestamp is when it came.
	RequestReceivedTimestamp time.Time
}

// what is the kind of request that it is.
func (r apiRequest) what() string {
	resource := r.ObjectRef.Resource
	if r.ObjectRef.Subresource != "" {
		resource += "/" + r.ObjectRef.Subresource
	}
	return r.Verb + " " + resource
}

// writes tells whether it changes something.
func (r apiRequest) writes() bool { return !slices.Contains([]string{"get", "list", "watch"}, r.Verb) }

// lease tells whether it is about a leader's Lease.
func (r apiRequest) lease() bool { return r.ObjectRef.Resource == "leases" }

// auditLog is what the API server tells of one user's requests from now on.
type auditLog struct {
	path, user string
	file       *os.File
	// rest is the beginning of a line that is not whole yet.
	rest []byte
}

// followAudit begins to follow a user.
func followAudit(user string) *auditLog {
	GinkgoHelper()
	l := &auditLog{path: filepath.Join(filepath.Dir(lab.kubeconfig), "logs", "audit.log"), user: user}
	l.open()
	DeferCleanup(func() { Expect(l.file.Close()).To(Succeed()) })
	_, err := l.file.Seek(0, io.SeekEnd)
	Expect(err).NotTo(HaveOccurred())
	return l
}

func (l *auditLog) open() {
	GinkgoHelper()
	file, err := os.Open(l.path)
	Expect(err).NotTo(HaveOccurred())
	l.file = file
}

// next are the user's requests since the last call. Where the log goes on in a
// new file, the old one is read to its end first.
func (l *auditLog) next() []apiRequest {
	GinkgoHelper()
	replaced := l.replaced()
	requests := l.read()
	if replaced {
		Expect(l.file.Close()).To(Succeed())
		l.open()
		requests = append(requests, l.read()...)
	}
	return requests
}

// replaced tells whether the log goes on in another file.
func (l *auditLog) replaced() bool {
	GinkgoHelper()
	there, err := os.Stat(l.path)
	if errors.Is(err, os.ErrNotExist) {
		return false // not yet
	}
	Expect(err).NotTo(HaveOccurred())
	ours, err := l.file.Stat()
	Expect(err).NotTo(HaveOccurred())
	return !os.SameFile(there, ours)
}

func (l *auditLog) read() []apiRequest {
	GinkgoHelper()
	content, err := io.ReadAll(l.file)
	Expect(err).NotTo(HaveOccurred())
	lines := bytes.Split(append(l.rest, content...), []byte("\n"))
	l.rest = lines[len(lines)-1]
	var requests []apiRequest
	for _, line := range lines[:len(lines)-1] {
		if !bytes.Contains(line, []byte(l.user)) {
			continue // most are of others
		}
		var r apiRequest
		Expect(json.Unmarshal(line, &r)).To(Succeed())
		if r.User.Username == l.user {
			requests = append(requests, r)
		}
	}
	return requests
}
