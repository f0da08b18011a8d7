// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Values of HeaderProbe on an answer: whose answer it is.
const (
	// ProbeFromTARS: what the route's upstream answered, status and body
	// untouched.
	ProbeFromTARS = "tars"
	// ProbeFromGateway: what Envoy answered in its place; HeaderProbeDetails
	// says why.
	ProbeFromGateway = "gateway"
	// ProbeRefused: the ticket was not good; HeaderProbeDetails says why.
	ProbeRefused = "refused"
)

// ProbeTicketLife is how long a ticket is good. It has to be longer than the
// clocks of the operator's node and of the external processor's differ.
const ProbeTicketLife = 2 * time.Minute

// Errors of CheckProbeTicket; their texts go into HeaderProbeDetails.
var (
	// ErrProbeTicket: it was not made with this route's token.
	ErrProbeTicket = errors.New("ticket not valid")
	// ErrProbeTicketTime: it is too old, or from the future.
	ErrProbeTicketTime = errors.New("ticket out of time")
)

// ProbeTicket is the value of HeaderProbe by which the operator's canary is let
// through to TARS as a request for its models, once: the time, a nonce and their
// HMAC under the route's pass token, which clients do not know. The nonce is
// hexadecimal.
func ProbeTicket(passToken, nonce string, at time.Time) string {
	signed := strconv.FormatInt(at.UnixMilli(), 10) + "." + nonce
	return signed + "." + probeMAC(passToken, signed)
}

// CheckProbeTicket returns the nonce of a ticket that is good now. That nobody
// has used it before is for the caller to know.
func CheckProbeTicket(passToken, ticket string, now time.Time) (nonce string, err error) {
	cut := strings.LastIndexByte(ticket, '.')
	if cut < 0 || !hmac.Equal([]byte(probeMAC(passToken, ticket[:cut])), []byte(ticket[cut+1:])) {
		return "", ErrProbeTicket
	}
	millis, nonce, _ := strings.Cut(ticket[:cut], ".")
	at, err := strconv.ParseInt(millis, 10, 64)
	if err != nil || nonce == "" {
		return "", ErrProbeTicket
	}
	if age := now.Sub(time.UnixMilli(at)); age > ProbeTicketLife || age < -ProbeTicketLife {
		return "", ErrProbeTicketTime
	}
	return nonce, nil
}

func probeMAC(passToken, signed string) string {
	mac := hmac.New(sha256.New, []byte(passToken))
	mac.Write([]byte("probe:" + signed))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
