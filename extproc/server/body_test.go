// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// member is a top-level member of a request's body.
type member struct {
	key   string
	value any
}

// members are those of a body in their order; ok is false for what
// encoding/json does not take for one object.
func members(doc []byte) (all []member, ok bool) {
	if !json.Valid(doc) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber()
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, false
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		m := member{key: key.(string)}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, false
		}
		all = append(all, m)
	}
	return all, true
}

// readings are the models that servers may take a body to ask for: Go's that
// know no case, those where the last of two keys counts, as in Python and
// JavaScript, and those where the first one does.
func readings(doc []byte) map[any]bool {
	all, _ := members(doc)
	found := map[any]bool{}
	for _, m := range all {
		c, _, _ := strings.Cut(m.key, "\x00") // C's strings end there
		if strings.EqualFold(m.key, "model") || strings.EqualFold(c, "model") {
			text, ok := m.value.(string)
			found[text] = ok
		}
	}
	return found
}

// plain tells whether a body is one that nobody could misread: it must pass.
func plain(doc []byte, allowed []string) bool {
	all, ok := members(doc)
	seen := map[string]bool{}
	for _, m := range all {
		// Other languages' letters are no mistake, but what looks like one of
		// ours is not worth a second opinion here.
		if strings.ContainsFunc(m.key, func(r rune) bool { return r <= ' ' || r > '~' }) || seen[strings.ToLower(m.key)] {
			return false
		}
		seen[strings.ToLower(m.key)] = true
		if strings.EqualFold(m.key, "model") {
			text, _ := m.value.(string)
			ok = ok && m.key == "model" && slices.Contains(allowed, text)
		}
		if name := strings.ToLower(m.key); strings.HasPrefix(name, "stream") {
			return false
		}
	}
	return ok && seen["model"]
}

var bodyBench = sync.OnceValue(func() *bench {
	return newBench(func(r *config.Route) { restricted(r); r.Allow = []string{"gpt", "claude-*"} })
})

// FuzzBody sends a body in any pieces: what goes on to TARS whole asks for an
// allowed model in the eyes of any JSON library, and is what was sent but for
// the alias and for include_usage; every other body is refused, once, and its
// last byte stays here.
func FuzzBody(f *testing.F) {
	for _, doc := range []string{
		`{"model":"gpt"}`, `{"model":"fast","messages":[],"stream":true}`, `{"model":"gpt","model":"forbidden"}`, `{"model":"forbidden","model":"gpt"}`,
		`{"\u006dodel":"forbidden","model":"gpt"}`, `{"model":"gpt","MODEL":"forbidden"}`, `{"model":"gpt","model\u0000":"forbidden"}`, `{"model":"gpt","model\u0000x":"forbidden"}`, `{"model":"gpt"}{"model":"forbidden"}`,
		`{"model":"claude-\ud83d\ude00"}`, `{"model":{"model":"gpt"}}`, `[{"model":"gpt"}]`, "\xef\xbb\xbf{\"model\":\"gpt\"}", "{\"mod\xffel\":\"forbidden\",\"model\":\"gpt\"}",
		`{"x":{"model":"forbidden"},"model":"gpt","stream":true,"stream_options":{"x":1}}`, `{"model":"gpt","stream":true,"stream":false}`, `{"stream":true,"stream_options":null,"model":"fast"} `,
		`{"model":"gpt","messages":[{"content":[{"type":"text","text":"hi"}]}],"tools":[]}`, `{"prompt":[[1,2],["a"]],"model":"gpt"}`,
	} {
		f.Add([]byte(doc), uint64(0))
		f.Add([]byte(doc), uint64(7))
	}
	f.Fuzz(func(t *testing.T, doc []byte, seed uint64) {
		RegisterTestingT(t)
		rng := rand.New(rand.NewPCG(seed, 0))
		e := &exchange{rng: rng}
		replies := bodyBench().play(append([]*extprocv3.ProcessingRequest{post(chatPath)}, e.pieces(string(doc), requestBody, true)...)...)
		sent, ends := sentBody(replies)
		if ends == 0 {
			last := replies[len(replies)-1].GetImmediateResponse()
			if code := last.GetStatus().GetCode(); code < 400 || code >= 500 {
				t.Fatalf("%q was not refused: %v", doc, replies)
			}
			if len(doc) <= maxBytes && plain(doc, []string{"gpt", "claude-1", "fast"}) {
				t.Fatalf("%q was refused: %s", doc, last.GetBody())
			}
			return
		}
		checkSent(t, doc, []byte(sent))
		if replies[len(replies)-1].GetImmediateResponse() != nil || ends != 1 {
			t.Fatalf("%q: an answer or another end after the end", doc)
		}
	})
}

// checkSent compares the body that went on with the one that came.
func checkSent(t *testing.T, doc, sent []byte) {
	t.Helper()
	models := readings(sent)
	for model, text := range models {
		name, _ := model.(string)
		if len(models) != 1 || !text || (name != "gpt" && name != "xai/grok-4.5" && !strings.HasPrefix(name, "claude-")) {
			t.Fatalf("%q went on, which some read as %v", sent, models)
		}
	}
	if len(models) == 0 {
		t.Fatalf("%q went on without a model", sent)
	}
	before, _ := members(doc)
	after, _ := members(sent)
	ours := func(m member) bool { return m.key == "model" || m.key == "stream_options" }
	if !reflect.DeepEqual(slices.DeleteFunc(before, ours), slices.DeleteFunc(after, ours)) {
		t.Fatalf("%q became %q", doc, sent)
	}
	if !bytes.Contains(doc, []byte("stream")) && !bytes.Contains(sent, []byte("grok")) && !bytes.Contains(doc, []byte(`\u`)) && !bytes.Equal(doc, sent) {
		t.Fatalf("%q became %q", doc, sent)
	}
}
