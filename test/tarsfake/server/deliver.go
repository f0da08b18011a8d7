// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"strings"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
)

// Media types of answers.
const (
	jsonType   = "application/json"
	streamType = "text/event-stream"
)

// document is an answer that is no stream.
type document struct {
	status      int
	contentType string
	data        []byte
	// tellsUsage says that data has the final counts.
	tellsUsage bool
}

// begin writes the headers.
func (x *exchange) begin(status int, contentType string) {
	if x.b.Status != 0 {
		status = x.b.Status
	}
	if x.b.ContentType != "" {
		contentType = x.b.ContentType
	}
	header := x.w.Header()
	if contentType != "" {
		header.Set("content-type", contentType)
	}
	if x.b.RetryAfter != "" && x.b.RetryAfter != "none" {
		header.Set("retry-after", x.b.RetryAfter)
	}
	if x.compresses() {
		header.Set("content-encoding", "gzip")
		header.Set("vary", "accept-encoding")
	}
	x.record.Update(func(e *ledger.Entry) { e.Status = status })
	x.begun = true
	x.w.WriteHeader(status)
}

func (x *exchange) compresses() bool {
	switch x.b.Encoding {
	case behaviour.GzipAlways:
		return true
	case behaviour.Gzip:
		return acceptsGzip(x.r.Header.Values("accept-encoding"))
	default:
		return false
	}
}

func acceptsGzip(accept []string) bool {
	for choice := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		coding, weight, _ := strings.Cut(strings.ReplaceAll(choice, " ", ""), ";")
		quality, err := strconv.ParseFloat(strings.TrimPrefix(weight, "q="), 64)
		if (coding == "gzip" || coding == "*") && (err != nil || quality > 0) {
			return true
		}
	}
	return false
}

// deliver sends a document.
func (x *exchange) deliver(d document) error {
	if x.b.Body != "" {
		d.data = []byte(x.b.Body)
	}
	if x.compresses() {
		var err error
		if d.data, err = compressed(d.data); err != nil {
			return err
		}
	}
	switch x.b.Cut.Where {
	case behaviour.CutHalf:
		x.out.limit = int64(len(d.data) / 2)
	case behaviour.CutBytes:
		x.out.limit = x.b.Cut.Bytes
	}
	// In pieces, the length is not told: that is chunked encoding in HTTP/1.
	if x.b.Split == 0 {
		x.w.Header().Set("content-length", strconv.Itoa(len(d.data)))
	}
	x.begin(d.status, d.contentType)
	if x.b.Stall > 0 {
		half := len(d.data) / 2
		if err := x.pause(d.data[:half]); err != nil {
			return err
		}
		d.data = d.data[half:]
	}
	return x.finish(d)
}

// pause writes the first half of a document and lets the client wait.
func (x *exchange) pause(half []byte) error {
	if _, err := x.out.Write(half); err != nil {
		return err
	}
	if err := x.out.flush(); err != nil {
		return err
	}
	return x.out.wait(x.b.Stall)
}

// finish writes the rest of a document. The ledger says so before, for a
// client that has the last byte may look there at once.
func (x *exchange) finish(d document) error {
	x.expect(d.tellsUsage, true)
	if _, err := x.out.Write(d.data); err != nil {
		x.expect(false, false)
		return err
	}
	if err := x.out.flush(); err != nil {
		x.expect(false, false)
		return err
	}
	return nil
}

// expect notes what will be true once the bytes that follow are out.
func (x *exchange) expect(usageSent, complete bool) {
	x.record.Update(func(e *ledger.Entry) {
		e.UsageSent = usageSent
		e.Outcome = ledger.Open
		if complete {
			e.End(ledger.Complete)
		}
	})
}

func compressed(data []byte) ([]byte, error) {
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	if _, err := writer.Write(data); err != nil {
		return nil, fmt.Errorf("compressing an answer: %w", err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("compressing an answer: %w", err)
	}
	return buffer.Bytes(), nil
}
