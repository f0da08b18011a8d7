// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("the CA", func() {
	var (
		dir   string
		ca    *CA
		roots *x509.CertPool
	)

	BeforeEach(func() {
		dir = filepath.Join(GinkgoT().TempDir(), "pki")
		var err error
		ca, err = New(dir, "example-ca")
		Expect(err).NotTo(HaveOccurred())
		pem, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
		Expect(err).NotTo(HaveOccurred())
		roots = x509.NewCertPool()
		Expect(roots.AppendCertsFromPEM(pem)).To(BeTrue())
	})

	issue := func(r Request) *x509.Certificate {
		GinkgoHelper()
		Expect(ca.Issue(r)).To(Succeed())
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, r.Name+".crt"), filepath.Join(dir, r.Name+".key"))
		Expect(err).NotTo(HaveOccurred())
		cert, err := x509.ParseCertificate(pair.Certificate[0])
		Expect(err).NotTo(HaveOccurred())
		return cert
	}
	trusted := func(cert *x509.Certificate, usage x509.ExtKeyUsage) error {
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}})
		return err
	}

	It("signs clients with their user and groups", func() {
		cert := issue(Request{Name: "node", CommonName: "system:node:a", Organizations: []string{"system:nodes"}})
		Expect(cert.Subject.CommonName).To(Equal("system:node:a"))
		Expect(cert.Subject.Organization).To(Equal([]string{"system:nodes"}))
		Expect(trusted(cert, x509.ExtKeyUsageClientAuth)).To(Succeed())
		Expect(trusted(cert, x509.ExtKeyUsageServerAuth)).NotTo(Succeed(), "a client must not pass for a server")
	})

	It("signs servers for their names and addresses", func() {
		cert := issue(Request{Name: "server", CommonName: "server", Hosts: []string{"api.example.com", "10.96.0.1"}})
		Expect(trusted(cert, x509.ExtKeyUsageServerAuth)).To(Succeed())
		Expect(trusted(cert, x509.ExtKeyUsageClientAuth)).NotTo(Succeed(), "a server must not pass for a user")
		Expect(cert.VerifyHostname("api.example.com")).To(Succeed())
		Expect(cert.VerifyHostname("10.96.0.1")).To(Succeed())
		Expect(cert.VerifyHostname("10.96.0.2")).NotTo(Succeed())
	})

	It("is valid now, on a clock that is behind too, and for a year", func() {
		cert := issue(Request{Name: "any", CommonName: "any"})
		Expect(cert.NotBefore).To(BeTemporally("<", time.Now().Add(-30*time.Minute)))
		Expect(cert.NotAfter).To(BeTemporally(">", time.Now().Add(300*24*time.Hour)))
	})

	It("keeps keys to their owner", func() {
		issue(Request{Name: "any", CommonName: "any"})
		for _, name := range []string{"ca.key", "any.key"} {
			info, err := os.Stat(filepath.Join(dir, name))
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
		}
		info, err := os.Stat(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o700)))
	})

	It("is another one each time", func() {
		cert := issue(Request{Name: "any", CommonName: "any"})
		other, err := New(filepath.Join(GinkgoT().TempDir(), "other"), "example-ca")
		Expect(err).NotTo(HaveOccurred())
		pool := x509.NewCertPool()
		pool.AddCert(other.cert)
		_, err = cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		Expect(err).To(HaveOccurred())
	})
})
