// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"regexp"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

const (
	// maxMessage is the longest message that the API server takes.
	maxMessage = 32768
	// maxQuote bounds what is quoted of another controller's message.
	maxQuote = 1024
	// maxListed bounds how many things of one kind a message names.
	maxListed = 5
)

// verdict is a condition without its type.
type verdict struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

func yes(reason, message string) verdict {
	return verdict{metav1.ConditionTrue, reason, message}
}

func no(reason, message string) verdict {
	return verdict{metav1.ConditionFalse, reason, message}
}

func pending(message string) verdict {
	return verdict{metav1.ConditionUnknown, v1alpha1.ReasonPending, message}
}

func (v verdict) isTrue() bool  { return v.status == metav1.ConditionTrue }
func (v verdict) isFalse() bool { return v.status == metav1.ConditionFalse }

// condition gives a verdict its type and generation.
func (v verdict) condition(conditionType string, generation int64) metav1.Condition {
	return metav1.Condition{
		Type: conditionType, Status: v.status, ObservedGeneration: generation,
		Reason: v.reason, Message: truncate(redact(v.message), maxMessage),
	}
}

// all is True if every verdict is; otherwise the first that is False, or else
// the first that is Unknown, gives the reason, and all of that status the
// message. Without any verdict there is no evidence.
func all(verdicts []verdict, good verdict) verdict {
	if len(verdicts) == 0 {
		return pending("there is nothing to look at yet")
	}
	for _, status := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		var reason string
		var messages []string
		for _, v := range verdicts {
			if v.status != status {
				continue
			}
			if len(messages) == 0 {
				reason = v.reason
			}
			messages = append(messages, v.message)
		}
		if len(messages) > 0 {
			return verdict{status, reason, list(messages)}
		}
	}
	return good
}

// fromFindings turns findings into verdicts.
func fromFindings(findings []Finding) []verdict {
	verdicts := make([]verdict, 0, len(findings))
	for _, f := range findings {
		v := no(f.Reason, f.Message)
		if f.Unknown {
			v.status = metav1.ConditionUnknown
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// list joins messages, each once.
func list(messages []string) string {
	var kept []string
	seen := map[string]bool{}
	for _, m := range messages {
		if seen[m] {
			continue
		}
		seen[m] = true
		kept = append(kept, m)
	}
	if len(kept) > maxListed {
		kept = append(kept[:maxListed], "and more of the same kind")
	}
	return strings.Join(kept, ". Also: ")
}

// quote is what another controller said, on one line and bounded.
func quote(reason, message string) string {
	reasons := strings.Join(splitReasons(reason), ", ")
	message = truncate(strings.Join(strings.Fields(message), " "), maxQuote)
	if message == "" {
		return reasons
	}
	return reasons + ": " + message
}

// splitReasons parts a reason of Envoy Gateway's, which may hold several.
func splitReasons(reason string) []string {
	var parts []string
	for part := range strings.SplitSeq(reason, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

const cut = " (cut)"

func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(cut)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cut
}

// credential matches what looks like a key in a text. Nothing that is
// observed should hold one; this is for texts that others wrote.
var credential = regexp.MustCompile(`(?i)\bbearer\s+[^\s"',;]+|\bsk-[A-Za-z0-9_-]{8,}`)

func redact(message string) string {
	return credential.ReplaceAllString(message, "[redacted]")
}
