// SPDX-License-Identifier: Apache-2.0

package reply

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// Fillers make a text, or the arguments of a tool, as long as they have to be.
const (
	filler     = "."
	jsonFiller = " "
)

// wordsPerPiece cuts a text into pieces when nobody says how.
const wordsPerPiece = 2

// Answer is what both a document and a stream are made of.
type Answer struct {
	Request Request
	// ID and Created are in the answer, Model is the one that answers.
	ID      string
	Model   string
	Created int64
	// Pieces are the text, or the arguments of the tool that is called; a
	// stream sends them one by one.
	Pieces []string
	// Usage is what the answer costs; Behaviour says how to tell it.
	Usage     tokens.Usage
	Behaviour behaviour.Behaviour
}

// New makes the answer to a request.
func New(request Request, b behaviour.Behaviour) (Answer, error) {
	usage, err := cost(request.Kind, b.Usage)
	if err != nil {
		return Answer{}, err
	}
	text, fill := textOf(request, b), filler
	if request.Tool != "" {
		fill = jsonFiller
		if text, err = arguments(request.Prompt); err != nil {
			return Answer{}, err
		}
	}
	a := Answer{
		Request: request, ID: rand.Text(), Model: request.Model, Created: time.Now().Unix(),
		Pieces: pieces(text, fill, b), Usage: usage, Behaviour: b,
	}
	if b.Model != "" {
		a.Model = b.Model
	}
	return a, nil
}

// Digest is the SHA-256 of a text in hex digits.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Text is the whole text.
func (a Answer) Text() string { return strings.Join(a.Pieces, "") }

func cost(kind Kind, mode string) (tokens.Usage, error) {
	switch mode {
	// Whether the client is told or not, the answer has its price.
	case behaviour.UsageRandom, behaviour.UsageAbsent, behaviour.UsageNull:
		return tokens.Random(kind.Shape()), nil
	case behaviour.UsageZero:
		return tokens.Usage{}, nil
	case behaviour.UsageHuge:
		return tokens.Huge(kind.Shape()), nil
	default:
		return tokens.Parse(mode)
	}
}

func textOf(request Request, b behaviour.Behaviour) string {
	if b.Content != "" {
		return b.Content
	}
	return fmt.Sprintf("This is \"tarsfake\". Your prompt of %d bytes arrived with SHA-256 %s \u2713\n",
		len(request.Prompt), Digest([]byte(request.Prompt)))
}

// pieces cuts a text as the behaviour says, and makes it longer if need be.
func pieces(text, fill string, b behaviour.Behaviour) []string {
	runes := []rune(text)
	count, size := b.Chunks, b.ChunkSize
	switch {
	case count == 0 && size == 0:
		if fill == jsonFiller {
			return halves(runes)
		}
		return byWords(text)
	case size == 0:
		size = max(1, (len(runes)+count-1)/count)
	case count == 0:
		count = (len(runes) + size - 1) / size
	}
	padding := strings.Repeat(fill, size)
	cut := make([]string, count)
	for i := range cut {
		n := min(size, len(runes))
		if i == count-1 {
			// What does not fit the number of pieces makes the last one longer:
			// the text stays whole.
			n = len(runes)
		}
		cut[i] = string(runes[:n]) + padding[min(n, size):]
		runes = runes[n:]
	}
	return cut
}

// halves cuts arguments, which have no words.
func halves(runes []rune) []string {
	half := len(runes) / 2
	return []string{string(runes[:half]), string(runes[half:])}
}

func byWords(text string) []string {
	words := strings.SplitAfter(text, " ")
	var cut []string
	for len(words) > 0 {
		n := min(wordsPerPiece, len(words))
		cut = append(cut, strings.Join(words[:n], ""))
		words = words[n:]
	}
	return cut
}
