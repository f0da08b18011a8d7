// SPDX-License-Identifier: Apache-2.0

// Package ledger records every request that reaches the stand-in, so that a
// test can hold what its clients saw against what really arrived. It never
// holds a key or a text.
package ledger

import (
	"maps"
	"sync"
	"time"

	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// DefaultSize is the number of requests that a ledger keeps.
const DefaultSize = 10000

// Outcome is how a request ended.
type Outcome string

// How a request can end.
const (
	// Open has not ended.
	Open Outcome = "open"
	// Complete was answered to the end.
	Complete Outcome = "complete"
	// ClientGone was left by the client before the end of request or answer.
	ClientGone Outcome = "client-gone"
	// Cut was ended by the stand-in, as it was told to or because it stops.
	Cut Outcome = "cut"
)

// Entry is one request. Its field names are those of the admin API.
type Entry struct {
	// ID counts the requests from 1.
	ID int64 `json:"id"`
	// Time is the arrival, DurationMillis how long it took.
	Time           time.Time `json:"time"`
	DurationMillis int64     `json:"durationMs"`
	// Key is the fingerprint of the key that came, known or not.
	Key string `json:"key,omitempty"`
	// KeyFrom is the header that the key came in.
	KeyFrom  string `json:"keyFrom,omitempty"`
	KeyKnown bool   `json:"keyKnown"`
	// Passthrough has a key of the caller's own beside that of TARS.
	Passthrough bool `json:"passthrough,omitempty"`
	// RequestID is X-Request-ID.
	RequestID string `json:"requestId,omitempty"`

	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	// Host is the Host header or :authority.
	Host string `json:"host"`
	// ServerName is TLS's SNI; TLS tells whether there was any.
	TLS        bool   `json:"tls"`
	ServerName string `json:"serverName,omitempty"`
	Protocol   string `json:"protocol"`
	Remote     string `json:"remote"`
	// HeaderNames are all of them in lower case; Headers are the values of
	// those that hold no secret.
	HeaderNames []string          `json:"headerNames"`
	Headers     map[string]string `json:"headers"`

	// BodyBytes and BodySHA256 are of the body as it arrived.
	BodyBytes  int64  `json:"bodyBytes"`
	BodySHA256 string `json:"bodySHA256,omitempty"`
	// PromptSHA256 is of the text of the last message of the user.
	PromptSHA256 string `json:"promptSHA256,omitempty"`
	// Stream and IncludeUsage are what the body asks for.
	Stream        bool   `json:"stream"`
	IncludeUsage  bool   `json:"includeUsage"`
	ModelAsked    string `json:"modelAsked,omitempty"`
	ModelAnswered string `json:"modelAnswered,omitempty"`

	// Behaviour are the settings that applied.
	Behaviour map[string]string `json:"behaviour,omitempty"`
	// Status is the answer's, 0 without an answer.
	Status int `json:"status"`
	// Chunks is the number of events of a stream that were sent.
	Chunks int `json:"chunks,omitempty"`
	// Usage is what the request cost; nil when it cost nothing.
	Usage *tokens.Usage `json:"usage,omitempty"`
	// UsageSent tells whether the client was told.
	UsageSent bool    `json:"usageSent"`
	Outcome   Outcome `json:"outcome"`
}

// End sets the outcome and the time that the request took until now.
func (e *Entry) End(outcome Outcome) {
	e.Outcome = outcome
	e.DurationMillis = time.Since(e.Time).Milliseconds()
}

// clone copies what a reader could otherwise see change. What is set once, at
// arrival, is shared.
func (e Entry) clone() Entry {
	e.Behaviour = maps.Clone(e.Behaviour)
	if e.Usage != nil {
		usage := *e.Usage
		e.Usage = &usage
	}
	return e
}

// Ledger keeps the newest entries, and sums of all.
type Ledger struct {
	mu      sync.Mutex
	size    int
	nextID  int64
	entries []*Entry // oldest first
	dropped int64
	past    Summary // the sums of dropped entries
}

// New makes a ledger that keeps so many entries; 0: DefaultSize.
func New(size int) *Ledger {
	if size <= 0 {
		size = DefaultSize
	}
	return &Ledger{size: size}
}

// Begin records a request that arrived and returns how to change the entry.
func (l *Ledger) Begin(entry Entry) *Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextID++
	entry.ID = l.nextID
	entry.Outcome = Open
	if len(l.entries) >= l.size {
		l.drop()
	}
	stored := entry.clone()
	l.entries = append(l.entries, &stored)
	return &Record{ledger: l, entry: &stored}
}

// Add counts a request that has ended in the sums alone.
func (l *Ledger) Add(entry Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past.add(entry)
}

// drop forgets the oldest entry that has ended, or the oldest if none has:
// what is still open will change, and its sums with it.
func (l *Ledger) drop() {
	victim := 0
	for i, e := range l.entries {
		if e.Outcome != Open {
			victim = i
			break
		}
	}
	l.past.add(*l.entries[victim])
	l.dropped++
	// Moving the older ones up is cheap: they are the few that are open.
	copy(l.entries[1:victim+1], l.entries[:victim])
	l.entries[0] = nil
	l.entries = l.entries[1:]
}

// Clear forgets everything. A request that is open is not recorded again.
func (l *Ledger) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.dropped, l.past = nil, 0, Summary{}
}

// Filter picks entries; zero values pick all.
type Filter struct {
	ID        int64
	RequestID string
	Path      string
	Key       string
	Outcome   Outcome
	// Last picks only so many of the newest.
	Last int
}

func (f Filter) picks(e *Entry) bool {
	return (f.ID == 0 || f.ID == e.ID) &&
		(f.RequestID == "" || f.RequestID == e.RequestID) &&
		(f.Path == "" || f.Path == e.Path) &&
		(f.Key == "" || f.Key == e.Key) &&
		(f.Outcome == "" || f.Outcome == e.Outcome)
}

// Page is what a ledger answers.
type Page struct {
	// Entries are the picked ones, oldest first.
	Entries []Entry `json:"entries"`
	// Dropped is how many entries were too many to keep.
	Dropped int64 `json:"dropped"`
}

// List returns the picked entries.
func (l *Ledger) List(filter Filter) Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	page := Page{Entries: []Entry{}, Dropped: l.dropped}
	for _, e := range l.entries {
		if filter.picks(e) {
			page.Entries = append(page.Entries, e.clone())
		}
	}
	if extra := len(page.Entries) - filter.Last; filter.Last > 0 && extra > 0 {
		page.Entries = page.Entries[extra:]
	}
	return page
}

// Summary returns the sums over all requests since the last Clear.
func (l *Ledger) Summary() Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	sums := Summary{}
	sums.merge(l.past)
	for _, e := range l.entries {
		sums.add(*e)
	}
	return sums.filled()
}

// Record changes one entry.
type Record struct {
	ledger *Ledger
	entry  *Entry
}

// Update changes the entry.
func (r *Record) Update(change func(*Entry)) {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	change(r.entry)
}

// End sets the outcome and the time that the request took.
func (r *Record) End(outcome Outcome) {
	r.Update(func(e *Entry) { e.End(outcome) })
}

// Entry returns the entry as it is now.
func (r *Record) Entry() Entry {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	return r.entry.clone()
}
