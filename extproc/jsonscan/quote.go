// SPDX-License-Identifier: Apache-2.0

package jsonscan

const hexDigits = "0123456789abcdef"

// Quote writes text as a JSON string, quotes included. The text must be
// UTF-8.
func Quote(text string) []byte {
	out := append(make([]byte, 0, len(text)+2), '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
