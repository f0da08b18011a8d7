// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/controllers/survey"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// firstTokenTime is what reasoning models may take before their first byte:
// TARS' own client waits 180 s.
const firstTokenTime = 3 * time.Minute

// lints look for what the API server takes and hardly anyone means.
var lints = []func(survey.Survey) []Complaint{
	pathPrefixHasVersion, hostnameNotServed, parentServesNothing, endpointWithoutTLS,
	allowsEverything, aliasHidesModel, modelsMissing, policyBypassed,
	requestTimeoutCutsStreams, streamIdleTooShort, drainShorterThanRequest, bodyLargerThanMemory, tooFewReplicas,
	keyLooksWrong,
}

func lint(s survey.Survey) []Complaint {
	complaints := make([]Complaint, 0, len(lints))
	for _, one := range lints {
		complaints = append(complaints, one(s)...)
	}
	return complaints
}

func complain(name, field, message string, args ...any) []Complaint {
	return []Complaint{{Name: name, Field: field, Message: fmt.Sprintf(message, args...)}}
}

func pathPrefixHasVersion(s survey.Survey) []Complaint {
	prefix := s.Seen.Backend.Spec.PathPrefix
	if !slices.ContainsFunc(strings.Split(prefix, "/"), func(segment string) bool { return strings.EqualFold(segment, "v1") }) {
		return nil
	}
	return complain("PathPrefixHasVersion", "spec.pathPrefix",
		"%q holds a version, and the operator adds /v1: apps have to call %s/v1. Leave the version out", prefix, prefix)
}

// hostnameNotServed looks for names that no listener of any parent takes.
func hostnameNotServed(s survey.Survey) []Complaint {
	b := s.Seen.Backend
	if len(s.Seen.Parents) == 0 || len(s.Seen.Parents) < len(s.Served) {
		return nil // a Gateway that was not seen may serve them
	}
	var complaints []Complaint
	for i, hostname := range b.Spec.Hostnames {
		alone := b.DeepCopy()
		alone.Spec.Hostnames = []gatewayv1.Hostname{hostname}
		if slices.ContainsFunc(s.Seen.Parents, func(p conditions.Parent) bool {
			return p.Gateway == nil || len(conditions.Listeners(p, alone, s.Seen.NamespaceLabels)) > 0
		}) {
			continue
		}
		complaints = append(complaints, complain("HostnameNotServed", fmt.Sprintf("spec.hostnames[%d]", i),
			"no listener of spec.parentRefs serves %q: correct it, or add a listener for it to the Gateway", hostname)...)
	}
	return complaints
}

// parentServesNothing looks for parents that cannot take the route.
func parentServesNothing(s survey.Survey) []Complaint {
	var complaints []Complaint
	for _, p := range s.Seen.Parents {
		if p.Gateway == nil || !p.Controlled || len(conditions.Listeners(p, s.Seen.Backend, s.Seen.NamespaceLabels)) > 0 {
			continue
		}
		listeners := make([]string, 0, len(p.Gateway.Spec.Listeners))
		for _, l := range p.Gateway.Spec.Listeners {
			listeners = append(listeners, fmt.Sprintf("%s (%s, port %d)", l.Name, l.Protocol, l.Port))
		}
		complaints = append(complaints, complain("ParentServesNothing", "spec.parentRefs",
			"no listener of Gateway %s/%s takes the route; it has %s. Compare sectionName, port and spec.hostnames with the listeners, "+
				"and look whether their allowedRoutes let namespace %s in",
			p.Gateway.Namespace, p.Gateway.Name, strings.Join(listeners, ", "), s.Seen.Backend.Namespace)...)
	}
	return complaints
}

func endpointWithoutTLS(s survey.Survey) []Complaint {
	if s.Seen.Backend.Spec.Endpoint.Port != 80 {
		return nil
	}
	return complain("EndpointPortIsPlain", "spec.endpoint.port",
		"80 is the port of plain HTTP, and Envoy always speaks TLS to TARS: leave it out, or give the port of TLS")
}

func allowsEverything(s survey.Survey) []Complaint {
	models := s.Seen.Backend.Spec.Models
	if models == nil {
		return nil
	}
	i := slices.Index(models.Allow, "*")
	if i < 0 {
		return nil
	}
	return complain("AllowsEverything", fmt.Sprintf("spec.models.allow[%d]", i),
		"* allows every model, and with an allow-list unlisted paths are denied by default: leave models.allow out, or name models")
}

// modelsMissing tells the models that the manager did not find among those of
// the key.
func modelsMissing(s survey.Survey) []Complaint {
	status := s.Seen.Backend.Status.Models
	if status == nil || len(status.Missing) == 0 {
		return nil
	}
	return complain("UnknownModel", "spec.models",
		"the key reaches no model that fits %s, so apps that ask for it get 404: correct the name, or have TARS give the key this model",
		strings.Join(status.Missing, ", "))
}

// aliasHidesModel looks for allowed models that nobody can ask for, because an
// alias has their name.
func aliasHidesModel(s survey.Survey) []Complaint {
	models := s.Seen.Backend.Spec.Models
	if models == nil {
		return nil
	}
	var complaints []Complaint
	for i, alias := range models.Aliases {
		entry := slices.IndexFunc(models.Allow, func(allowed string) bool {
			prefix, wildcard := strings.CutSuffix(allowed, "*")
			return alias.Name == allowed || wildcard && prefix != "" && strings.HasPrefix(alias.Name, prefix)
		})
		if entry >= 0 {
			complaints = append(complaints, complain("AliasHidesModel", fmt.Sprintf("spec.models.aliases[%d].name", i),
				"%q is also allowed as a model by spec.models.allow[%d] (%q), and whoever asks for that model gets %q: give the alias another name",
				alias.Name, entry, models.Allow[entry], alias.Model)...)
		}
	}
	return complaints
}

func policyBypassed(s survey.Survey) []Complaint {
	spec := s.Seen.Backend.Spec
	if spec.UnlistedPaths != v1alpha1.UnlistedPathsForward || spec.Models == nil || len(spec.Models.Allow) == 0 {
		return nil
	}
	return complain("PolicyBypassed", "spec.unlistedPaths",
		"Forward lets a path that the operator does not inspect reach any model of the key, past models.allow: set Deny, or leave it out")
}

// duration reads a field; the CRD's schema has made sure that it is one.
func duration(field string, d *gatewayv1.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	parsed, err := desired.Duration(field, *d)
	if err != nil {
		return otherwise
	}
	return parsed.Duration
}

type timeouts struct{ request, streamIdle, drain time.Duration }

func timeoutsOf(b *v1alpha1.TarsBackend) timeouts {
	spec := ptr.Deref(b.Spec.Timeouts, v1alpha1.Timeouts{})
	return timeouts{
		request:    duration("spec.timeouts.request", spec.Request, v1alpha1.DefaultRequestTimeout),
		streamIdle: duration("spec.timeouts.streamIdle", spec.StreamIdle, v1alpha1.DefaultStreamIdleTimeout),
		drain: duration("spec.extProc.drainTimeout", ptr.Deref(b.Spec.ExtProc, v1alpha1.ExtProc{}).DrainTimeout,
			v1alpha1.DefaultDrainTimeout),
	}
}

func requestTimeoutCutsStreams(s survey.Survey) []Complaint {
	t := timeoutsOf(s.Seen.Backend)
	if t.request == 0 || t.request > max(t.streamIdle, firstTokenTime) {
		return nil
	}
	return complain("RequestTimeoutCutsStreams", "spec.timeouts.request",
		"%s ends every answer after that time, a stream that still flows included: leave it out and bound silence by timeouts.streamIdle",
		*s.Seen.Backend.Spec.Timeouts.Request)
}

func streamIdleTooShort(s survey.Survey) []Complaint {
	t := timeoutsOf(s.Seen.Backend)
	if t.streamIdle == 0 || t.streamIdle >= firstTokenTime {
		return nil
	}
	return complain("StreamIdleTooShort", "spec.timeouts.streamIdle",
		"%s also bounds the wait for the first token, for which reasoning models may take minutes: give 3m or more, or leave it out",
		*s.Seen.Backend.Spec.Timeouts.StreamIdle)
}

func drainShorterThanRequest(s survey.Survey) []Complaint {
	t := timeoutsOf(s.Seen.Backend)
	if t.request <= t.drain {
		return nil
	}
	return complain("DrainShorterThanRequest", "spec.extProc.drainTimeout",
		"an edit that rolls the external processor cuts requests after %s, and timeouts.request grants them %s: raise the one or lower the other",
		t.drain, t.request)
}

// bodyLargerThanMemory compares the largest body with what a pod may hold.
func bodyLargerThanMemory(s survey.Survey) []Complaint {
	spec := s.Seen.Backend.Spec
	largest := v1alpha1.DefaultMaxRequestBytes
	if spec.RequestBody != nil && spec.RequestBody.MaxSize != nil {
		largest = spec.RequestBody.MaxSize.Value()
	}
	resources := desired.ExtProcResources(s.Seen.Backend)
	limit := resources.Limits[corev1.ResourceMemory]
	if held := config.HeldBytes(limit.Value()); largest > held {
		return complain("BodyLargerThanMemory", "spec.requestBody.maxSize",
			"of a memory limit of %s the external processor holds %d bytes of requests, so that a body of %d is never served: "+
				"raise extProc.resources.limits.memory, or lower maxSize", limit.String(), held, largest)
	}
	return nil
}

func tooFewReplicas(s survey.Survey) []Complaint {
	replicas := v1alpha1.DefaultExtProcReplicas
	if spec := s.Seen.Backend.Spec.ExtProc; spec != nil && spec.Replicas != nil {
		replicas = *spec.Replicas
	}
	switch replicas {
	case 0:
		return complain("NoReplica", "spec.extProc.replicas", "without a replica every request is answered 503: give 2 or more")
	case 1:
		return complain("OneReplica", "spec.extProc.replicas",
			"while the one replica is moved or restarts, every request is answered 503: give 2 or more")
	default:
		return nil
	}
}
