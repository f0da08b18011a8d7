// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// Bounds of settings, so that a slip does not fill the memory or run for days.
const (
	maxChunks   = 1_000_000
	maxContent  = 256 << 20
	maxDuration = 24 * time.Hour
)

// minChunks is the least number of chunks of a stream of a given duration.
const minChunks = 10

type setter func(b *Behaviour, value string) error

// setters is every setting by its name.
func setters() map[string]setter {
	return map[string]setter{
		"error":           setError,
		"error-after":     number(maxChunks, func(b *Behaviour, n int) { b.ErrorAfter = n }),
		"status":          setStatus,
		"retry-after":     text(func(b *Behaviour, v string) { b.RetryAfter = v }),
		"body":            text(func(b *Behaviour, v string) { b.Body = v }),
		"content-type":    text(func(b *Behaviour, v string) { b.ContentType = v }),
		"silent":          truth(func(b *Behaviour, v bool) { b.Silent = v }),
		"delay":           duration(func(b *Behaviour, d time.Duration) { b.Delay = d }),
		"chunks":          number(maxChunks, func(b *Behaviour, n int) { b.Chunks = n }),
		"chunk-size":      number(maxContent, func(b *Behaviour, n int) { b.ChunkSize = n }),
		"gap":             duration(func(b *Behaviour, d time.Duration) { b.Gap = d }),
		"duration":        duration(func(b *Behaviour, d time.Duration) { b.duration = d }),
		"stall":           duration(func(b *Behaviour, d time.Duration) { b.Stall = d }),
		"stall-after":     number(maxChunks, func(b *Behaviour, n int) { b.StallAfter = n }),
		"cut":             setCut,
		"split":           number(maxContent, func(b *Behaviour, n int) { b.Split = n }),
		"split-gap":       duration(func(b *Behaviour, d time.Duration) { b.SplitGap = d }),
		"usage":           setUsage,
		"usage-null":      truth(func(b *Behaviour, v bool) { b.UsageNull = v }),
		"anthropic-usage": oneOf(func(b *Behaviour, v string) { b.AnthropicUsage = v }, OnStart, OnDelta, OnBoth),
		"encoding":        oneOf(func(b *Behaviour, v string) { b.Encoding = v }, Gzip, GzipAlways),
		"eol":             setEOL,
		"comments":        truth(func(b *Behaviour, v bool) { b.Comments = v }),
		"model":           text(func(b *Behaviour, v string) { b.Model = v }),
		"content":         text(func(b *Behaviour, v string) { b.Content = v }),
	}
}

func text(set func(*Behaviour, string)) setter {
	return func(b *Behaviour, value string) error {
		if value == "" {
			return errors.New("the value is empty")
		}
		set(b, value)
		return nil
	}
}

func number(most int, set func(*Behaviour, int)) setter {
	return func(b *Behaviour, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > most {
			return fmt.Errorf("%q is not a number from 0 to %d", value, most)
		}
		set(b, n)
		return nil
	}
}

func truth(set func(*Behaviour, bool)) setter {
	return func(b *Behaviour, value string) error {
		v, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		set(b, v)
		return nil
	}
}

func duration(set func(*Behaviour, time.Duration)) setter {
	return func(b *Behaviour, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > maxDuration {
			return fmt.Errorf("%q is not a duration like 1m30s from 0 to %s", value, maxDuration)
		}
		set(b, d)
		return nil
	}
}

func oneOf(set func(*Behaviour, string), values ...string) setter {
	return func(b *Behaviour, value string) error {
		if !slices.Contains(values, value) {
			return fmt.Errorf("%q is not one of %s", value, strings.Join(values, ", "))
		}
		set(b, value)
		return nil
	}
}

func setError(b *Behaviour, value string) error {
	if _, known := Errors()[value]; !known {
		return fmt.Errorf("%q is not an error; known are %s", value, strings.Join(ErrorNames(), ", "))
	}
	b.Error = value
	return nil
}

func setStatus(b *Behaviour, value string) error {
	status, err := strconv.Atoi(value)
	// A status below 200 would be an interim answer, two others have no body.
	if err != nil || status < http.StatusOK || status > 599 || status == http.StatusNoContent || status == http.StatusNotModified {
		return fmt.Errorf("%q is not a status of an answer with a body, from 200 to 599", value)
	}
	b.Status = status
	return nil
}

func setCut(b *Behaviour, value string) error {
	switch value {
	case "before-headers":
		b.Cut = Cut{Where: CutBeforeHeaders}
		return nil
	case "half":
		b.Cut = Cut{Where: CutHalf}
		return nil
	}
	bytes, err := strconv.ParseInt(value, 10, 64)
	if err != nil || bytes < 0 {
		return fmt.Errorf("%q is not before-headers, half or a number of bytes", value)
	}
	b.Cut = Cut{Where: CutBytes, Bytes: bytes}
	return nil
}

func setUsage(b *Behaviour, value string) error {
	if !slices.Contains([]string{UsageRandom, UsageAbsent, UsageNull, UsageZero, UsageHuge}, value) {
		if _, err := tokens.Parse(value); err != nil {
			return fmt.Errorf("neither random, absent, null, zero, huge nor counts: %w", err)
		}
	}
	b.Usage = value
	return nil
}

func setEOL(b *Behaviour, value string) error {
	ends := map[string]string{"lf": "\n", "crlf": "\r\n", "cr": "\r"}
	eol, known := ends[value]
	if !known {
		return fmt.Errorf("%q is not one of lf, crlf, cr", value)
	}
	b.EOL = eol
	return nil
}
