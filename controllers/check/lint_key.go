// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/tars-operator/tars-operator/controllers/survey"
)

// keyPrefix is how keys of TARS begin; managementPrefix is that of keys for
// its management API, which the data plane refuses.
const (
	keyPrefix        = "sk-"
	managementPrefix = "ak-"
)

// keyLooksWrong looks at a key that can be sent and will be refused, or that
// was written carelessly. It never repeats any of it.
func keyLooksWrong(s survey.Survey) []Complaint {
	if s.Secret == nil {
		return nil
	}
	ref := s.Seen.Backend.Spec.Credential.SecretRef
	raw, ok := s.Secret.Data[ref.Key]
	if !ok {
		return nil
	}
	var complaints []Complaint
	say := func(name, message string) {
		complaints = append(complaints, Complaint{Name: name, Message: fmt.Sprintf(
			"the value under %s of Secret %s/%s %s", ref.Key, s.Secret.Namespace, s.Secret.Name, message)})
	}
	value := string(raw)
	key := strings.TrimSpace(value)
	if key != value {
		say("KeyHasSpace", "has a line break or space before or after it: the operator cuts it off, others that read the Secret may not. "+
			"Write it without one (kubectl create secret generic --from-literal, or printf instead of echo)")
	}
	switch {
	case quoted(key):
		say("KeyIsQuoted", "is in quotes, which are sent with it: write it without them")
	case placeholder(key):
		say("KeyIsPlaceholder", "looks like a placeholder: put the TARS key there")
	case encodedTwice(key):
		say("KeyEncodedTwice", "is base64 of a key: data takes base64 once, stringData the key itself")
	case strings.HasPrefix(key, managementPrefix):
		say("KeyIsForManagement", "begins with "+managementPrefix+", as keys of the management API do: put a key for models ("+
			keyPrefix+"...) there")
	}
	return complaints
}

func quoted(key string) bool {
	return len(key) > 1 && strings.ContainsRune("\"'`", rune(key[0])) && key[0] == key[len(key)-1]
}

// placeholder tells what people write where a key is to go. The sample's own
// one is a finding of the manager's.
func placeholder(key string) bool {
	switch strings.ToLower(key) {
	case "changeme", "change-me", "todo", "dummy", "test", "secret", "placeholder", "none", "null":
		return true
	}
	return slices.ContainsFunc([]string{"<", "$", "{{", keyPrefix + "...", keyPrefix + "xxx", "your"}, func(start string) bool {
		return strings.HasPrefix(strings.ToLower(key), start)
	})
}

func encodedTwice(key string) bool {
	decoded, err := base64.StdEncoding.DecodeString(key)
	return err == nil && strings.HasPrefix(string(decoded), keyPrefix)
}
