// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// also adds a probe beside the good one.
func also(outcome ProbeOutcome, detail string) func(*Observation) {
	return func(o *Observation) {
		o.Canary.Probes = append(o.Canary.Probes, Probe{
			Gateway: "infra/public", Listener: "http", Envoy: "eg/envoy-2", Outcome: outcome, Detail: detail,
		})
	}
}

// front adds a probe of the Service in front of the good one.
func front(outcome ProbeOutcome, detail string) func(*Observation) {
	return func(o *Observation) {
		o.Canary.Probes = append(o.Canary.Probes, Probe{
			Gateway: "infra/public", Listener: "http", Service: "eg/envoy", Outcome: outcome, Detail: detail,
		})
	}
}

var _ = DescribeTable("DataPlaneVerified", check,
	Entry("is True when every Envoy answered", also(ProbeVerified, ""), dataPlaneIs(isTrue, v1alpha1.ReasonVerified)),
	Entry("is Unknown before the children are applied", func(o *Observation) { o.Applied = false },
		dataPlaneIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown without a report about this plan", func(o *Observation) { o.Canary = nil },
		dataPlaneIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown when a report holds nothing at all", func(o *Observation) { o.Canary = &CanaryReport{} },
		dataPlaneIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/public")),
	Entry("is Unknown without parents", func(o *Observation) { o.Parents = nil },
		dataPlaneIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown while one Envoy has not answered", also(ProbePending, ""),
		dataPlaneIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/public, listener http")),
	Entry("is Unknown for an outcome it does not know", also("", ""), dataPlaneIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("stays True when a new Envoy joins verified ones", also(ProbeJoined, ""), dataPlaneIs(isTrue, v1alpha1.ReasonVerified)),
	Entry("is Unknown when only new Envoys are left", func(o *Observation) { o.Canary.Probes[0].Outcome = ProbeJoined },
		dataPlaneIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown when only new Envoys are left behind a Service that answered before", func(o *Observation) {
		o.Canary.Probes[0].Outcome = ProbeJoined
		front(ProbeVerified, "")(o)
	}, dataPlaneIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is True when the Service in front answered too", front(ProbeVerified, ""), dataPlaneIs(isTrue, v1alpha1.ReasonVerified)),
	Entry("is Unknown while the Service in front has not answered", front(ProbePending, ""),
		dataPlaneIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/public, listener http")),
	Entry("is False, naming it, while the Service in front leads nowhere", front(ProbeUnreachable, "refused the connection"),
		dataPlaneIs(isFalse, v1alpha1.ReasonEnvoyUnreachable, "Service eg/envoy (Gateway infra/public, listener http) refused the connection")),
	Entry("is Unknown when a new Envoy joins at a listener without verified ones", func(o *Observation) {
		o.Canary.Probes = append(o.Canary.Probes, Probe{
			Gateway: "infra/public", Listener: "other", Envoy: "eg/envoy-1", Outcome: ProbeJoined,
		})
	}, dataPlaneIs(isUnknown, v1alpha1.ReasonPending, "listener other")),
	Entry("is Unknown while no Envoy of one of two parents was asked", func(o *Observation) {
		o.Parents = append(o.Parents, Parent{
			Ref: aRef("infra", "second"), Gateway: aGateway("infra", "second"), ControllerName: envoyGateway, Controlled: true,
		})
	}, dataPlaneIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/second")),
	Entry("is Unknown while another listener than the parentRef's was asked", func(o *Observation) {
		o.Parents[0].Ref.SectionName = new(gatewayv1.SectionName("https"))
	}, dataPlaneIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is False when an Envoy cannot be reached", also(ProbeUnreachable, "refused the connection"),
		dataPlaneIs(isFalse, v1alpha1.ReasonEnvoyUnreachable,
			"Envoy eg/envoy-2 (Gateway infra/public, listener http) refused the connection")),
	Entry("is False when an Envoy answers wrongly", also(ProbeWrong, "answered 404"),
		dataPlaneIs(isFalse, v1alpha1.ReasonUnexpectedAnswer, "Envoy eg/envoy-2", "answered 404")),
	Entry("is False when an Envoy answers with an older configuration", also(ProbeStale, "hash a instead of b"),
		dataPlaneIs(isFalse, v1alpha1.ReasonStaleConfiguration, "Envoy eg/envoy-2", "hash a instead of b")),
	Entry("is Unknown while an older configuration is normal", func(o *Observation) {
		also(ProbeStale, "hash a instead of b")(o)
		o.Canary.Probes[len(o.Canary.Probes)-1].Fresh = true
	}, dataPlaneIs(isUnknown, v1alpha1.ReasonStaleConfiguration, "Envoy eg/envoy-2", "hash a instead of b")),
	Entry("is False for what is wrong beside what is normal", func(o *Observation) {
		also(ProbeWrong, "answered 404")(o)
		o.Canary.Probes[len(o.Canary.Probes)-1].Fresh = true
		also(ProbeStale, "hash a instead of b")(o)
	}, dataPlaneIs(isFalse, v1alpha1.ReasonStaleConfiguration, "hash a instead of b")),
	Entry("names what hides the others first", func(o *Observation) {
		also(ProbeStale, "stale")(o)
		also(ProbeWrong, "wrong")(o)
		also(ProbeUnreachable, "unreachable")(o)
	}, dataPlaneIs(isFalse, v1alpha1.ReasonEnvoyUnreachable, "unreachable")),
	Entry("says a wrong answer before a stale one", func(o *Observation) {
		also(ProbeStale, "stale")(o)
		also(ProbeWrong, "wrong")(o)
	}, dataPlaneIs(isFalse, v1alpha1.ReasonUnexpectedAnswer)),
	Entry("names some of many", func(o *Observation) {
		for i := range 9 {
			o.Canary.Probes = append(o.Canary.Probes, Probe{Envoy: fmt.Sprint("eg/e", i), Outcome: ProbeWrong})
		}
	}, dataPlaneIs(isFalse, v1alpha1.ReasonUnexpectedAnswer, "eg/e4", "and more of the same kind")),
	Entry("is False without a ready Envoy", func(o *Observation) { o.Canary.Missing = []string{"listener http has no ready Envoy"} },
		dataPlaneIs(isFalse, v1alpha1.ReasonNoReadyEnvoy, "listener http has no ready Envoy")),
	Entry("is Unknown when a listener cannot be asked, and says what to do", func(o *Observation) {
		o.Canary.NotPossible = []string{"listener https speaks HTTPS"}
	}, dataPlaneIs(isUnknown, v1alpha1.ReasonProbeNotPossible, "listener https speaks HTTPS", "readiness.dataPlane to Informational")),
	Entry("is Unknown when an Envoy turns out not to let the operator ask", also(ProbeImpossible, "asks for a client certificate"),
		dataPlaneIs(isUnknown, v1alpha1.ReasonProbeNotPossible, "Envoy eg/envoy-2", "asks for a client certificate", "Informational")),
	Entry("says what is bad before what turns out impossible", func(o *Observation) {
		also(ProbeImpossible, "i")(o)
		also(ProbeStale, "s")(o)
	}, dataPlaneIs(isFalse, v1alpha1.ReasonStaleConfiguration)),
	Entry("says what is bad before what cannot be asked", func(o *Observation) {
		o.Canary.NotPossible = []string{"listener https speaks HTTPS"}
		o.Canary.Probes[0].Outcome = ProbeStale
	}, dataPlaneIs(isFalse, v1alpha1.ReasonStaleConfiguration)),
)
