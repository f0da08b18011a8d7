// SPDX-License-Identifier: Apache-2.0

// Package keys knows which API keys the stand-in takes and which models each
// of them reaches. It keeps digests only, so that no key can be read back.
package keys

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// DemoKey is the key that works when no other was given.
const DemoKey = "sk-tarsfake-demo"

// fingerprintLength is how much of a key's digest names the key, in hex digits.
const fingerprintLength = 8

// maxKeys bounds the memory that the admin API can fill.
const maxKeys = 10000

// DefaultModels are the models of a key that names none: of every provider
// one, one with a slash in its id and one that makes embeddings.
func DefaultModels() []string {
	return []string{
		"gpt-4o-mini", "gpt-5-mini", "claude-haiku-4-5", "claude-sonnet-5", "xai/grok-4.5", "text-embedding-3-small",
	}
}

// Grant is one key and what it reaches.
type Grant struct {
	// Fingerprint is "sha256:" and the first 8 hex digits of the key's SHA-256.
	Fingerprint string `json:"fingerprint"`
	// Models are the ids that the key reaches.
	Models []string `json:"models"`
}

// Ring holds the keys. The zero value takes none.
type Ring struct {
	mu     sync.RWMutex
	grants map[[sha256.Size]byte]Grant
}

// Fingerprint names a key without telling it; "" for no key.
func Fingerprint(key string) string {
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])[:fingerprintLength]
}

// Add takes a key from now on; a key that is there gets the new models. No
// models: DefaultModels.
func (r *Ring) Add(key string, models []string) (Grant, error) {
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return Grant{}, errors.New("a key must not be empty or hold white space")
	}
	if len(models) == 0 {
		models = DefaultModels()
	}
	if slices.Contains(models, "") {
		return Grant{}, fmt.Errorf("key %s: a model's id must not be empty", Fingerprint(key))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.grants == nil {
		r.grants = map[[sha256.Size]byte]Grant{}
	}
	if len(r.grants) >= maxKeys {
		return Grant{}, fmt.Errorf("there are %d keys already: revoke some", maxKeys)
	}
	grant := Grant{Fingerprint: Fingerprint(key), Models: slices.Clone(models)}
	r.grants[sha256.Sum256([]byte(key))] = grant
	return grant, nil
}

// Revoke stops taking a key, named by itself or by its fingerprint. It tells
// whether there was such a key.
func (r *Ring) Revoke(keyOrFingerprint string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.grants)
	maps.DeleteFunc(r.grants, func(_ [sha256.Size]byte, g Grant) bool {
		return g.Fingerprint == keyOrFingerprint || g.Fingerprint == Fingerprint(keyOrFingerprint)
	})
	return len(r.grants) < before
}

// Find returns what a key reaches, and false for a key that is not taken.
func (r *Ring) Find(key string) (Grant, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	grant, found := r.grants[sha256.Sum256([]byte(key))]
	return grant, found
}

// List returns all grants in the order of their fingerprints.
func (r *Ring) List() []Grant {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(r.grants), func(a, b Grant) int {
		return strings.Compare(a.Fingerprint, b.Fingerprint)
	})
}

// AddSpec takes "<key>" or "<key>=<model>,<model>...".
func (r *Ring) AddSpec(spec string) error {
	key, list, named := strings.Cut(spec, "=")
	var models []string
	if named {
		models = strings.Split(list, ",")
	}
	_, err := r.Add(key, models)
	return err
}

// AddLines takes one AddSpec a line; empty lines and lines that begin with #
// are left out.
func (r *Ring) AddLines(lines io.Reader) error {
	scanner := bufio.NewScanner(lines)
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := r.AddSpec(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("reading keys: %w", err)
	}
	return nil
}
