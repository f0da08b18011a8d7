// SPDX-License-Identifier: Apache-2.0

// Package certs makes the stand-in's certificate, signed by an authority of
// its own, or reads one from a folder.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Names of the files in a folder, as kubectl names a TLS Secret's keys.
const (
	CAFile   = "ca.crt"
	CertFile = "tls.crt"
	KeyFile  = "tls.key"
)

// lifetime of what Generate makes; Ensure makes it anew once less than margin
// is left.
const (
	lifetime = 365 * 24 * time.Hour
	margin   = 30 * 24 * time.Hour
)

// Bundle is a certificate with its key and the authority that signed it, each
// in PEM.
type Bundle struct {
	CA, Cert, Key []byte
}

// Generate makes an authority, which signs one certificate and is forgotten.
func Generate(hosts []string) (Bundle, error) {
	if len(hosts) == 0 {
		return Bundle{}, errors.New("making a certificate: name at least one host")
	}
	ca := template("tarsfake's certificate authority")
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Bundle{}, fmt.Errorf("making the authority's key: %w", err)
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return Bundle{}, fmt.Errorf("making the authority: %w", err)
	}
	leaf := template(hosts[0])
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Bundle{}, fmt.Errorf("making the certificate's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return Bundle{}, fmt.Errorf("making the certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Bundle{}, fmt.Errorf("rendering the certificate's key: %w", err)
	}
	return Bundle{CA: inPEM("CERTIFICATE", caDER), Cert: inPEM("CERTIFICATE", der), Key: inPEM("PRIVATE KEY", keyDER)}, nil
}

func template(commonName string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: commonName},
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.Add(lifetime),
	}
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Load reads a folder. The authority may be missing.
func Load(dir string) (Bundle, error) {
	var b Bundle
	for name, into := range map[string]*[]byte{CAFile: &b.CA, CertFile: &b.Cert, KeyFile: &b.Key} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && name == CAFile {
			continue
		}
		if err != nil {
			return Bundle{}, fmt.Errorf("reading the certificate: %w", err)
		}
		*into = data
	}
	_, err := b.Pair()
	return b, err
}

// Pair is the certificate and key for a server.
func (b Bundle) Pair() (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(b.Cert, b.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("using the certificate: %w", err)
	}
	return pair, nil
}

// Ensure writes a bundle for the hosts into a folder, unless there is one that
// is good for all of them and for a while. It tells whether it made a new one.
func Ensure(dir string, hosts []string) (made bool, err error) {
	if old, err := Load(dir); err == nil && old.serves(hosts) {
		return false, nil
	}
	b, err := Generate(hosts)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, fmt.Errorf("making the folder of certificates: %w", err)
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, CAFile), b.CA, 0o644),
		os.WriteFile(filepath.Join(dir, CertFile), b.Cert, 0o644),
		os.WriteFile(filepath.Join(dir, KeyFile), b.Key, 0o600),
	)
	if err != nil {
		return false, fmt.Errorf("writing certificates: %w", err)
	}
	return true, nil
}

func (b Bundle) serves(hosts []string) bool {
	pair, err := b.Pair()
	if err != nil {
		return false
	}
	authority := x509.NewCertPool()
	authority.AppendCertsFromPEM(b.CA)
	for _, host := range hosts {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: authority, CurrentTime: time.Now().Add(margin)})
		if err != nil {
			return false
		}
	}
	return true
}
