// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tars-operator/tars-operator/extproc/memory"
)

const (
	// prefixSize is the length of what stands before a message: a flag and its
	// length.
	prefixSize = 5
	// maxMessage is the longest message that is taken, in bytes. Envoy sends what
	// one read from the client gave, or a whole body where another policy of the
	// Gateway buffers it.
	maxMessage = 128 << 20
	// firstGrowth bounds the memory that a message's length alone is worth, in
	// bytes: the rest is made when bytes come.
	firstGrowth = 64 << 10
	// maxLent bounds the messages that are lent, in bytes: whoever keeps a great one
	// would have to copy it.
	maxLent = 8 << 10
)

// whole returns the message that p begins with, if it is whole.
func whole(p []byte) (text []byte, ok bool) {
	if len(p) < prefixSize || p[0] != 0 {
		return nil, false
	}
	size := binary.BigEndian.Uint32(p[1:])
	if rest := p[prefixSize:]; uint64(size) <= uint64(len(rest)) {
		return rest[:size:size], true
	}
	return nil, false
}

// message is one that is being read.
type message struct {
	prefix  [prefixSize]byte
	begun   int // bytes of the prefix
	size    int
	read    int
	text    []byte
	charged int64 // of the budget, for what is longer than firstGrowth
	dropped bool  // there was no room for it: it is thrown away
	fault   error // why it cannot be taken, a status
}

// take reads at most n bytes. Its error is the connection's.
func (m *message) take(r *bufio.Reader, n int, budget *memory.Budget) (int, error) {
	if m.begun < prefixSize {
		n = min(n, prefixSize-m.begun)
		if _, err := io.ReadFull(r, m.prefix[m.begun:m.begun+n]); err != nil {
			return 0, fmt.Errorf("reading: %w", err)
		}
		if m.begun += n; m.begun == prefixSize {
			m.begin()
		}
		return n, nil
	}
	n = min(n, m.size-m.read)
	m.grow(n, budget)
	if err := m.fill(r, n); err != nil {
		return 0, fmt.Errorf("reading: %w", err)
	}
	m.read += n
	return n, nil
}

func (m *message) fill(r *bufio.Reader, n int) error {
	if m.dropped {
		_, err := r.Discard(n)
		return err
	}
	end := len(m.text) + n
	_, err := io.ReadFull(r, m.text[len(m.text):end])
	m.text = m.text[:end]
	return err
}

func (m *message) begin() {
	switch size := binary.BigEndian.Uint32(m.prefix[1:]); {
	case m.prefix[0] != 0:
		m.fault = status.Error(codes.Unimplemented, "compressed messages are not taken")
	case size > maxMessage:
		m.fault = status.Errorf(codes.ResourceExhausted, "a message of %d bytes is longer than %d", size, maxMessage)
	default:
		m.size = int(size)
		m.text = memory.Take(min(m.size, firstGrowth))
	}
}

// grow makes room for n bytes more, or drops the message where the budget has none. Both
// the old memory and the new count until one is given up.
func (m *message) grow(n int, budget *memory.Budget) {
	have := len(m.text)
	if m.dropped || cap(m.text) >= have+n {
		return
	}
	room := min(m.size, have+max(n, have))
	if !budget.Acquire(int64(room)) {
		m.drop(budget)
		return
	}
	m.text = append(make([]byte, 0, room), m.text...)
	budget.Release(m.charged)
	m.charged = int64(room)
}

// drop gives up what there is of the message.
func (m *message) drop(budget *memory.Budget) {
	budget.Release(m.charged)
	m.text, m.charged, m.dropped = nil, 0, true
}

func (m *message) whole() bool { return m.begun == prefixSize && m.read == m.size }

// out hands the message out, and makes room for the next.
func (m *message) out(budget *memory.Budget) []byte {
	text := m.text
	budget.Release(m.charged)
	*m = message{}
	return text
}
