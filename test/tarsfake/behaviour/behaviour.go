// SPDX-License-Identifier: Apache-2.0

// Package behaviour says how the stand-in is to treat a request. A request
// asks by headers, the admin API for requests to come; both use the settings
// of README.md, headers with Prefix before them.
package behaviour

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Prefix begins the name of each header that asks for a behaviour.
const Prefix = "x-fake-"

// never stands for a place that is not reached.
const never = -1

// Behaviour is how to treat one request. Normal is the one without wishes.
type Behaviour struct {
	// Error names the error to answer, see Errors; "" for none.
	Error string
	// ErrorAfter is the number of chunks of content after which a stream
	// breaks off with the error; below 0 the error is the answer.
	ErrorAfter int
	// Status, RetryAfter, Body and ContentType replace those of the error;
	// without an error, those of the answer. Zero values replace nothing.
	Status      int
	RetryAfter  string
	Body        string
	ContentType string

	// Silent never answers.
	Silent bool
	// Delay passes before the first byte of the answer.
	Delay time.Duration
	// Chunks and ChunkSize are the number of the pieces of content and their
	// length in characters; 0 for what the text needs. A text that is too short
	// gets longer, one that is too long makes the last piece longer.
	Chunks, ChunkSize int
	// Gap passes before each piece of content.
	Gap time.Duration
	// Stall passes once after StallAfter pieces of content; in an answer that
	// is no stream, after half of its bytes.
	Stall      time.Duration
	StallAfter int
	// Cut ends the connection early.
	Cut Cut
	// Split is the number of bytes to write and flush at once, SplitGap
	// passes between two writes; 0 for whole events.
	Split    int
	SplitGap time.Duration

	// Usage is which counts the answer tells: UsageRandom and so on, or
	// numbers as tokens.Parse takes them.
	Usage string
	// UsageNull puts "usage": null on every chunk before the usage, if that
	// was asked for.
	UsageNull bool
	// AnthropicUsage is which events of /v1/messages tell the counts; "" for
	// any of them by chance.
	AnthropicUsage string

	// Encoding compresses the answer: "", Gzip or GzipAlways.
	Encoding string
	// EOL ends the lines of a stream.
	EOL string
	// Comments puts a comment before every event of a stream.
	Comments bool
	// Model is the model that says it answered; "" for the one asked for.
	Model string
	// Content replaces the text of the answer.
	Content string

	// duration is how long a stream is to take; spread turns it into Gap.
	duration time.Duration
}

// Values of Behaviour.Usage.
const (
	UsageRandom = "random"
	UsageAbsent = "absent"
	UsageNull   = "null"
	UsageZero   = "zero"
	UsageHuge   = "huge"
)

// Values of Behaviour.AnthropicUsage.
const (
	// OnStart tells the input on message_start, the output on message_delta.
	OnStart = "start"
	// OnDelta tells everything on message_delta.
	OnDelta = "delta"
	// OnBoth tells provisional counts on message_start that message_delta
	// replaces.
	OnBoth = "both"
)

// Values of Behaviour.Encoding.
const (
	// Gzip compresses if the client accepts it.
	Gzip = "gzip"
	// GzipAlways compresses whatever the client accepts.
	GzipAlways = "gzip-always"
)

// Where a Cut happens.
const (
	CutNever = iota
	// CutBeforeHeaders ends the connection without an answer.
	CutBeforeHeaders
	// CutHalf is after half of the content's chunks or of the answer's bytes.
	CutHalf
	// CutBytes is after Cut.Bytes bytes of the body.
	CutBytes
)

// Cut is where the connection ends.
type Cut struct {
	Where int
	Bytes int64
}

// Normal answers as the service would.
func Normal() Behaviour {
	return Behaviour{ErrorAfter: never, StallAfter: 1, Usage: UsageRandom, EOL: "\n"}
}

// Settings are wishes by their names without Prefix.
type Settings map[string]string

// FromHeader returns the wishes of a request.
func FromHeader(header http.Header) Settings {
	settings := Settings{}
	for name, values := range header {
		if wish, ours := strings.CutPrefix(strings.ToLower(name), Prefix); ours {
			settings[wish] = values[0]
		}
	}
	return settings
}

// Over returns the settings with those of other replaced by them.
func (s Settings) Over(other Settings) Settings {
	all := maps.Clone(other)
	if all == nil {
		all = Settings{}
	}
	maps.Copy(all, s)
	return all
}

// Parse reads settings. An unknown name or value is an error: a wish that is
// not granted would make a test pass for nothing.
func Parse(settings Settings) (Behaviour, error) {
	b := Normal()
	table := setters()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		set, known := table[name]
		if !known {
			return Behaviour{}, fmt.Errorf("%s%s is not a setting; known are %s",
				Prefix, name, strings.Join(slices.Sorted(maps.Keys(table)), ", "))
		}
		if err := set(&b, settings[name]); err != nil {
			return Behaviour{}, fmt.Errorf("%s%s: %w", Prefix, name, err)
		}
	}
	return b.spread()
}

// spread derives what follows from several settings.
func (b Behaviour) spread() (Behaviour, error) {
	if b.duration > 0 {
		if b.Chunks == 0 {
			b.Chunks = max(minChunks, int(b.duration/time.Second))
		}
		b.Gap = b.duration / time.Duration(b.Chunks)
	}
	if b.Chunks*max(b.ChunkSize, 1) > maxContent {
		return Behaviour{}, fmt.Errorf("%d chunks of %d bytes are more than %d bytes", b.Chunks, b.ChunkSize, maxContent)
	}
	return b, nil
}
