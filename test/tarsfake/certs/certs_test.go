// SPDX-License-Identifier: Apache-2.0

package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/certs"
)

func TestCerts(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/tarsfake/certs")
}

// verify checks a host as a client would.
func verify(b certs.Bundle, host string) error {
	GinkgoHelper()
	pair, err := b.Pair()
	Expect(err).NotTo(HaveOccurred())
	authority := x509.NewCertPool()
	Expect(authority.AppendCertsFromPEM(b.CA)).To(BeTrue())
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: authority})
	return err
}

var _ = Describe("Certificates", func() {
	It("are good for their hosts only", func() {
		b, err := certs.Generate([]string{"tars.example.com", "127.0.0.1"})
		Expect(err).NotTo(HaveOccurred())
		Expect(verify(b, "tars.example.com")).To(Succeed())
		Expect(verify(b, "127.0.0.1")).To(Succeed())
		Expect(verify(b, "other.example.com")).NotTo(Succeed())
	})

	It("need a host", func() {
		_, err := certs.Generate(nil)
		Expect(err).To(MatchError(ContainSubstring("at least one host")))
	})

	It("are kept while they are good for all hosts", func() {
		dir := filepath.Join(GinkgoT().TempDir(), "tls")
		Expect(certs.Ensure(dir, []string{"a.example.com"})).To(BeTrue())
		first, err := certs.Load(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(certs.Ensure(dir, []string{"a.example.com"})).To(BeFalse())
		Expect(certs.Load(dir)).To(Equal(first))
		Expect(certs.Ensure(dir, []string{"a.example.com", "b.example.com"})).To(BeTrue())
		second, err := certs.Load(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(verify(second, "b.example.com")).To(Succeed())
		info, err := os.Stat(filepath.Join(dir, certs.KeyFile))
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	})

	DescribeTable("are made anew when a file is broken:", func(name string) {
		dir := GinkgoT().TempDir()
		Expect(certs.Ensure(dir, []string{"a.example.com"})).To(BeTrue())
		Expect(os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600)).To(Succeed())
		Expect(certs.Ensure(dir, []string{"a.example.com"})).To(BeTrue())
	}, Entry(nil, certs.CAFile), Entry(nil, certs.CertFile), Entry(nil, certs.KeyFile))

	It("are made anew a month before they end", func() {
		dir := GinkgoT().TempDir()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		Expect(err).NotTo(HaveOccurred())
		template := &x509.Certificate{
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(29 * 24 * time.Hour),
			DNSNames: []string{"a.example.com"}, IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		Expect(err).NotTo(HaveOccurred())
		keyDER, err := x509.MarshalPKCS8PrivateKey(key)
		Expect(err).NotTo(HaveOccurred())
		for name, block := range map[string]*pem.Block{
			certs.CAFile: {Type: "CERTIFICATE", Bytes: der}, certs.CertFile: {Type: "CERTIFICATE", Bytes: der},
			certs.KeyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
		} {
			Expect(os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600)).To(Succeed())
		}
		old, err := certs.Load(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(verify(old, "a.example.com")).To(Succeed())
		Expect(certs.Ensure(dir, []string{"a.example.com"})).To(BeTrue())
	})

	It("may lack their authority, and nothing else", func() {
		dir := GinkgoT().TempDir()
		Expect(certs.Ensure(dir, []string{"a.example.com"})).To(BeTrue())
		Expect(os.Remove(filepath.Join(dir, certs.CAFile))).To(Succeed())
		b, err := certs.Load(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.CA).To(BeEmpty())
		Expect(os.Remove(filepath.Join(dir, certs.KeyFile))).To(Succeed())
		_, err = certs.Load(dir)
		Expect(err).To(MatchError(ContainSubstring("tls.key")))
	})

	It("says when a folder cannot be written", func() {
		_, err := certs.Ensure(filepath.Join(os.DevNull, "x"), []string{"a.example.com"})
		Expect(err).To(MatchError(ContainSubstring("making the folder of certificates")))
	})
})
