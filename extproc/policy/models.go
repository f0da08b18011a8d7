// SPDX-License-Identifier: Apache-2.0

// Package policy decides what a request may ask for: which paths are served,
// which models are allowed, and what an alias stands for.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// maxNamed is the number of allowed models that Allowed names.
const maxNamed = 20

// Models is the model policy of one route.
type Models struct {
	exact    map[string]bool
	prefixes []string
	open     bool // no allow-list: every model
	aliases  map[string]string
	names    []string // what Allowed names, in the user's order
	config   []config.Alias
}

// NewModels compiles the policy of a route.
func NewModels(r config.Route) *Models {
	m := &Models{
		exact:   map[string]bool{},
		open:    len(r.Allow) == 0,
		aliases: map[string]string{},
		config:  r.Aliases,
	}
	for _, a := range r.Aliases {
		m.aliases[a.Name] = a.Model
		m.names = append(m.names, a.Name)
	}
	for _, entry := range r.Allow {
		if prefix, ok := strings.CutSuffix(entry, "*"); ok {
			m.prefixes = append(m.prefixes, prefix)
		} else {
			m.exact[entry] = true
		}
		m.names = append(m.names, entry)
	}
	return m
}

// Limited tells whether there is an allow-list.
func (m *Models) Limited() bool { return !m.open }

// Resolve returns the model that TARS is asked for when an app asks for name;
// ok is false when it is not allowed. An alias wins over a model of the same
// name, and its target needs no place in the allow-list.
func (m *Models) Resolve(name string) (model string, ok bool) {
	if target, is := m.aliases[name]; is {
		return target, true
	}
	return name, m.listed(name)
}

// listed tells whether a model may be asked for by its own name.
func (m *Models) listed(name string) bool {
	return m.open || m.exact[name] ||
		slices.ContainsFunc(m.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Restricted tells whether an answer that lists models must be rewritten.
func (m *Models) Restricted() bool { return !m.open || len(m.aliases) > 0 }

// Aliases returns the aliases of a target in the order of the configuration.
func (m *Models) Aliases(target string) []string {
	var names []string
	for _, a := range m.config {
		if a.Model == target {
			names = append(names, a.Name)
		}
	}
	return names
}

// Keeps tells whether the model of that id stays in a list of models: it is
// allowed by its own name, and no alias has taken the name.
func (m *Models) Keeps(id string) bool {
	_, taken := m.aliases[id]
	return !taken && m.listed(id)
}

// Labels returns the names that may be labels of metrics from the start:
// aliases, their targets and the exact entries of the allow-list.
func (m *Models) Labels() []string {
	names := make([]string, 0, 2*len(m.config)+len(m.exact))
	for _, a := range m.config {
		names = append(names, a.Name, a.Model)
	}
	for name := range m.exact {
		names = append(names, name)
	}
	return names
}

// Allowed names the allowed models for a message: at most twenty.
func (m *Models) Allowed() string {
	names := m.names
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}
