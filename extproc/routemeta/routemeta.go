// SPDX-License-Identifier: Apache-2.0

// Package routemeta finds a value in the attribute xds.route_metadata, which
// Envoy hands over as the text format of a protocol buffer
// (envoy.config.core.v3.Metadata).
//
// That text is made for people: its white space and its first words change
// between Envoy's versions and even between processes, on purpose. So it is
// read as a sequence of words, strings and punctuation, not by its layout.
package routemeta

import "strings"

// String returns the string value of the first field with the given key,
// wherever it is nested, and "" when there is none.
func String(text, key string) string {
	want := []string{"key", quoted(key), "value", "{", "string_value"}
	matched := 0
	for rest := text; ; {
		token, after := next(rest)
		rest = after
		switch {
		case token == "":
			return ""
		case token == ":":
			continue
		case matched == len(want):
			if value, ok := unquote(token); ok {
				return value
			}
			matched = 0
		case token == want[matched]:
			matched++
		case token == want[0]:
			matched = 1
		default:
			matched = 0
		}
	}
}

// quoted is how next returns the string token for text.
func quoted(text string) string { return `"` + text }

func unquote(token string) (string, bool) { return strings.CutPrefix(token, `"`) }

// next reads one token: a word, a punctuation mark, or a string, of which
// the token is a quote and its unescaped text. At the end, or where the text
// is broken, it is empty.
func next(text string) (token, rest string) {
	text = strings.TrimLeft(text, " \t\r\n,;")
	if text == "" {
		return "", ""
	}
	if c := text[0]; c == '"' || c == '\'' {
		return scanString(text[1:], c)
	}
	end := strings.IndexFunc(text, func(r rune) bool { return !isWord(r) })
	switch end {
	case -1:
		return text, ""
	case 0:
		return text[:1], text[1:]
	default:
		return text[:end], text[end:]
	}
}

func isWord(r rune) bool {
	return r == '_' || r == '.' || r == '/' || r == '-' ||
		(r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
}

func scanString(text string, quote byte) (token, rest string) {
	var out strings.Builder
	out.WriteByte('"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case quote:
			return out.String(), text[i+1:]
		case '\\':
			c, n := unescape(text[i+1:])
			out.WriteByte(c)
			i += n
		default:
			out.WriteByte(c)
		}
	}
	return "", ""
}

// unescape reads what follows a backslash: an octal or hexadecimal byte, or
// one character.
func unescape(text string) (c byte, n int) {
	if text == "" {
		return '\\', 0
	}
	switch text[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'x', 'X':
		c, n = digits(text[1:], 16, 2)
		return c, n + 1
	}
	if text[0] >= '0' && text[0] <= '7' {
		return digits(text, 8, 3)
	}
	return text[0], 1
}

func digits(text string, base, most int) (c byte, n int) {
	value := 0
	for n < most && n < len(text) {
		d := digit(text[n])
		if d >= base {
			break
		}
		value = value*base + d
		n++
	}
	return byte(value), n
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return 16
	}
}
