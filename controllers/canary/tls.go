// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// listenerTLS is how an HTTPS listener is spoken to, and what that showed. Its
// certificate is not traced back to an authority: which ones the apps trust
// is not known here, and that the answer is our route's is proven by its hashes.
type listenerTLS struct {
	host string
	now  func() time.Time

	// wantsCertificate: the listener asked for a client certificate.
	wantsCertificate bool
	// problem says what any client finds wrong with its certificate.
	problem string
}

func newListenerTLS(t Target, now func() time.Time) *listenerTLS {
	return &listenerTLS{host: t.Host, now: now}
}

func (l *listenerTLS) config() *tls.Config {
	return &tls.Config{
		ServerName:         l.host,
		NextProtos:         []string{"http/1.1"},
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // see listenerTLS; no secret is sent
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			l.wantsCertificate = true
			return &tls.Certificate{}, nil
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) > 0 {
				l.problem = l.judge(state.PeerCertificates[0])
			}
			return nil
		},
	}
}

// judge says in words why no client accepts a certificate, whatever it trusts.
func (l *listenerTLS) judge(leaf *x509.Certificate) string {
	now := l.now()
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Sprintf("answers with a certificate that ended on %s: renew the one of the listener",
			leaf.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return fmt.Sprintf("answers with a certificate that begins on %s", leaf.NotBefore.UTC().Format(time.DateOnly))
	case conditions.IsConcrete(l.host) && !standsIn(l.host) && leaf.VerifyHostname(l.host) != nil:
		return fmt.Sprintf("answers for %s with a certificate of other names: correct the listener's certificateRefs", l.host)
	default:
		return ""
	}
}
