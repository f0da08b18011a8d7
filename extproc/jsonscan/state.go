// SPDX-License-Identifier: Apache-2.0

package jsonscan

// State is that of a Scanner in the midst of a document. The zero value is ready for
// Save.
type State struct{ saved Scanner }

// Save keeps the scanner's state, for Restore of the same scanner.
func (s *Scanner) Save(to *State) { to.saved.copy(s) }

// Restore puts the scanner where it was at Save: it goes on with the bytes that follow
// those which it had read then. What it reported until then is not reported again.
func (s *Scanner) Restore(from *State) { s.copy(&from.saved) }

// copy makes s what other is; they share nothing that either changes.
func (s *Scanner) copy(other *Scanner) {
	bits, frames, raw, key := s.nest.bits, s.frames, s.raw, s.keyRaw
	*s = *other
	s.nest.bits = append(bits[:0], other.nest.bits...)
	s.frames = append(frames[:0], other.frames...)
	s.raw = append(raw[:0], other.raw...)
	s.keyRaw = append(key[:0], other.keyRaw...)
}
