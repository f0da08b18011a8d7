// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// condition renders one condition of status.
func condition(kind, message string) string {
	return `{type: ` + kind + `, status: "True", reason: R, message: "` + message + `", lastTransitionTime: "2026-01-01T00:00:00Z"}`
}

const oneParent = `parentRef: {name: g}`

var statusRefusals = []refusal{
	{"more than 16 conditions", `conditions: ` + listOf(17, condition("C%d", "")), "status.conditions", "must have at most 16 items"},
	{"a condition given twice", `conditions: ` + listOf(2, condition("Ready", "")), "status.conditions[1]", "Duplicate value"},
	{"a condition without a type", `conditions: [{status: "True", reason: R, message: m, lastTransitionTime: "2026-01-01T00:00:00Z"}]`, "status.conditions[0].type", "Required value"},
	{"more than 8 parents", `parents: ` + listOf(9, `{`+oneParent+`}`), "status.parents", "must have at most 8 items"},
	{"a parent without its parentRef", `parents: [{}]`, "status.parents[0].parentRef", "Required value"},
	{"more than 8 conditions of a parent", `parents: [{` + oneParent + `, conditions: ` + listOf(9, condition("C%d", "")) + `}]`, "status.parents[0].conditions", "must have at most 8 items"},
	{"a condition of a parent given twice", `parents: [{` + oneParent + `, conditions: ` + listOf(2, condition("Accepted", "")) + `}]`, "status.parents[0].conditions[1]", "Duplicate value"},
	{"more than 16 addresses", `parents: [{` + oneParent + `, addresses: ` + listOf(17, `192.0.2.%d`) + `}]`, "status.parents[0].addresses", "must have at most 16 items"},
	{"an address of 254 characters", `parents: [{` + oneParent + `, addresses: [` + text(254) + `]}]`, "status.parents[0].addresses[0]", "may not be more than 253 bytes"},
	{"more than 64 urls", `urls: ` + listOf(65, `{api: OpenAI, url: "http://h%d"}`), "status.urls", "must have at most 64 items"},
	{"a url of no API", `urls: [{url: "http://a"}]`, "status.urls[0].api", "Required value"},
	{"a url of another API", `urls: [{api: Other, url: "http://a"}]`, "status.urls[0].api", `supported values: "OpenAI", "Anthropic"`},
	{"an API without a url", `urls: [{api: OpenAI}]`, "status.urls[0].url", "Required value"},
	{"a url of 1025 characters", `urls: [{api: OpenAI, url: ` + text(1025) + `}]`, "status.urls[0].url", "may not be more than 1024 bytes"},
	{"a key in place of its fingerprint", `credential: {fingerprint: sk-secret}`, "status.credential.fingerprint", "should match '^sha256:[0-9a-f]{8}$'"},
	{"a whole SHA-256, from which a weak key could be guessed", `credential: {fingerprint: "sha256:0123456789abcdef"}`, "status.credential.fingerprint", "should match '^sha256:[0-9a-f]{8}$'"},
	{"models without a number", `models: {missing: [a]}`, "status.models.available", "Required value"},
	{"a negative number of models", `models: {available: -1}`, "status.models.available", "greater than or equal to 0"},
	{"more than 320 missing models", `models: {available: 0, missing: ` + listOf(321, `m%d`) + `}`, "status.models.missing", "must have at most 320 items"},
	{"a missing model of 257 characters", `models: {available: 0, missing: [` + text(257) + `]}`, "status.models.missing[0]", "may not be more than 256 bytes"},
	{"a hash of 65 characters", `extProc: {configHash: ` + text(65) + `}`, "status.extProc.configHash", "may not be more than 64 bytes"},
}

var _ = Describe("A status", func() {
	entries := make([]TableEntry, 0, len(statusRefusals))
	for _, r := range statusRefusals {
		entries = append(entries, Entry(r.why, r))
	}
	DescribeTable("is refused for", func(ctx SpecContext, r refusal) {
		expectRefusal(setStatus(ctx, r.spec), r)
	}, entries)

	DescribeTable("is accepted with", func(ctx SpecContext, status string) {
		Expect(setStatus(ctx, status)).To(Succeed())
	},
		Entry("16 conditions", `conditions: `+listOf(16, condition("C%d", ""))),
		Entry("8 parents of 8 conditions and 16 addresses", `parents: `+listOf(8,
			`{`+oneParent+`, conditions: `+listOf(8, condition("C%d", ""))+`, addresses: `+listOf(16, `h%d.example.com`)+`}`)),
		Entry("an address of 253 characters", `parents: [{`+oneParent+`, addresses: [`+text(253)+`]}]`),
		Entry("64 urls", `urls: `+listOf(64, `{api: Anthropic, url: "http://h%d"}`)),
		Entry("a url of 1024 characters", `urls: [{api: OpenAI, url: `+text(1024)+`}]`),
		Entry("a fingerprint", `credential: {fingerprint: "sha256:1f3a9c2e"}`),
		Entry("no model, and 320 missing", `models: {available: 0, missing: `+listOf(320, `m%d`)+`}`),
		Entry("a missing model of 256 characters", `models: {available: 163, missing: [`+text(256)+`]}`),
		Entry("a hash of 64 characters", `extProc: {configHash: `+text(64)+`}`),
		Entry("the longest message there may be", `conditions: [`+condition("Ready", text(32768))+`]`),
	)

	It("is no part of what a user writes", func(ctx SpecContext) {
		u := tarsBackend("example", "")
		u.Object["status"] = map[string]any{"observedGeneration": int64(7)}
		Expect(admit(ctx, u)).To(Succeed())
		Expect(u.Object["status"]).To(Equal(map[string]any{"observedGeneration": int64(-1)}))
	})

	It("is written without touching the spec or the generation", func(ctx SpecContext) {
		u := stored(ctx, "")
		changed := u.DeepCopy()
		Expect(unstructured.SetNestedField(changed.Object, "/other", "spec", "pathPrefix")).To(Succeed())
		Expect(unstructured.SetNestedField(changed.Object, int64(1), "status", "observedGeneration")).To(Succeed())
		Expect(api.Status().Update(ctx, changed)).To(Succeed())

		tb := &v1alpha1.TarsBackend{}
		Expect(api.Get(ctx, client.ObjectKeyFromObject(u), tb)).To(Succeed())
		Expect(tb.Spec.PathPrefix).To(Equal("/"))
		Expect(tb.Generation).To(Equal(int64(1)))
		Expect(tb.Status.ObservedGeneration).To(Equal(int64(1)))
	})

	It("holds conditions of two field managers, one each", func(ctx SpecContext) {
		key := client.ObjectKeyFromObject(stored(ctx, ""))
		for manager, kind := range map[string]string{"one": "Ready", "two": "Other"} {
			u := &unstructured.Unstructured{Object: map[string]any{"status": parse(`conditions: [` + condition(kind, manager) + `]`)}}
			u.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("TarsBackend"))
			u.SetNamespace(key.Namespace)
			u.SetName(key.Name)
			Expect(api.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(manager))).To(Succeed())
		}
		tb := &v1alpha1.TarsBackend{}
		Expect(api.Get(ctx, key, tb)).To(Succeed())
		Expect(tb.Status.Conditions).To(HaveLen(2))
		Expect(meta.FindStatusCondition(tb.Status.Conditions, "Ready").Message).To(Equal("one"))
		Expect(meta.FindStatusCondition(tb.Status.Conditions, "Other").Message).To(Equal("two"))
	})
})

var _ = Describe("kubectl", func() {
	It("finds TarsBackends by their short name and category", func() {
		found, err := discoveryClient().ServerResourcesForGroupVersion("gateway.tars.dev/v1alpha1")
		Expect(err).NotTo(HaveOccurred())
		Expect(found.APIResources).To(ContainElement(And(
			HaveField("Name", "tarsbackends"),
			HaveField("SingularName", "tarsbackend"),
			HaveField("Kind", "TarsBackend"),
			HaveField("Namespaced", true),
			HaveField("ShortNames", ConsistOf("tars")),
			HaveField("Categories", ConsistOf("gateway-api")),
		)))
		Expect(found.APIResources).To(ContainElement(HaveField("Name", "tarsbackends/status")))
	})

	It("shows the columns of the design", func(ctx SpecContext) {
		u := stored(ctx, "")
		status := parse(`
observedGeneration: 1
urls: [{api: OpenAI, url: "http://192.0.2.1/v1"}, {api: Anthropic, url: "http://192.0.2.1"}]
credential: {fingerprint: "sha256:1f3a9c2e"}
models: {available: 163}
conditions: [` + condition("Accepted", "another") + `, ` + condition("Ready", "traffic works") + `]`)
		u.Object["status"] = status
		Expect(api.Status().Update(ctx, u)).To(Succeed())

		table := tableOf(ctx, u.GetName())
		var columns []string
		for _, c := range table.ColumnDefinitions {
			name := c.Name
			if c.Priority > 0 {
				name += " (wide)"
			}
			columns = append(columns, name)
		}
		Expect(columns).To(Equal([]string{"Name", "Ready", "Reason", "Models", "URL", "Credential (wide)", "Message (wide)", "Age"}))
		Expect(table.Rows).To(HaveLen(1))
		Expect(table.Rows[0].Cells[:7]).To(Equal([]any{
			u.GetName(), "True", "R", float64(163), "http://192.0.2.1/v1", "sha256:1f3a9c2e", "traffic works",
		}))
		Expect(table.Rows[0].Cells[7]).To(MatchRegexp(`^\d+s$`))
	})
})

func discoveryClient() *discovery.DiscoveryClient {
	GinkgoHelper()
	c, err := discovery.NewDiscoveryClientForConfig(restConfig)
	Expect(err).NotTo(HaveOccurred())
	return c
}

// tableOf asks for what kubectl get prints.
func tableOf(ctx SpecContext, name string) *metav1.Table {
	GinkgoHelper()
	body, err := discoveryClient().RESTClient().Get().
		AbsPath("/apis/gateway.tars.dev/v1alpha1/namespaces", namespace, "tarsbackends", name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").
		DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	table := &metav1.Table{}
	Expect(json.Unmarshal(body, table)).To(Succeed())
	return table
}
