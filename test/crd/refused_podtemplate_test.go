// SPDX-License-Identifier: Apache-2.0

package crd

const (
	keySyntax = " must have keys like example.com/name: letters, digits, '-', '_' and '.', at most 63 characters after an optional DNS prefix"

	podTemplatePath = "spec.extProc.podTemplate."
	pullSecretsPath = podTemplatePath + "imagePullSecrets"
	nodeSelector    = podTemplatePath + "nodeSelector"
	labelsPath      = podTemplatePath + "metadata.labels"
	annotationsPath = podTemplatePath + "metadata.annotations"

	pullSecretName = "an imagePullSecret must have a name of at most 253 characters"
	labelPattern   = `should match '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'`
)

// podLabels is a spec with the given labels for pods.
func podLabels(labels string) string {
	return podTemplate(`metadata: {labels: ` + labels + `}`)
}

// podAnnotations is a spec with the given annotations for pods.
func podAnnotations(annotations string) string {
	return podTemplate(`metadata: {annotations: ` + annotations + `}`)
}

var podTemplateRefusals = []refusal{
	{"more than 8 pull secrets", podTemplate(`imagePullSecrets: ` + listOf(9, `{name: s%d}`)), pullSecretsPath, "must have at most 8 items"},
	{"a pull secret given twice", podTemplate(`imagePullSecrets: [{name: s}, {name: s}]`), pullSecretsPath + "[1]", "Duplicate value"},
	{"a pull secret without a name", podTemplate(`imagePullSecrets: [{}]`), pullSecretsPath, pullSecretName},
	{
		"a pull secret with a name of 254 characters", podTemplate(`imagePullSecrets: [{name: ` + text(254) + `}]`),
		pullSecretsPath, pullSecretName,
	},
	{
		"more than 32 tolerations", podTemplate(`tolerations: ` + listOf(33, `{key: k%d}`)),
		podTemplatePath + "tolerations", "must have at most 32 items",
	},
	{
		"a priority class with a name of 254 characters", podTemplate(`priorityClassName: ` + text(254)),
		podTemplatePath + "priorityClassName", "may not be more than 253 bytes",
	},

	{
		"more than 32 node labels", podTemplate(`nodeSelector: ` + mapOf(33, `k%d`, `v`)),
		nodeSelector, "must have at most 32 items",
	},
	{"a node label with a space in its key", podTemplate(`nodeSelector: {"a b": v}`), nodeSelector, "nodeSelector" + keySyntax},
	{"a node label with a comma in its value", podTemplate(`nodeSelector: {k: "a,b"}`), nodeSelector + ".k", labelPattern},
	{"a node label with a value of 64 characters", podTemplate(`nodeSelector: {k: ` + text(64) + `}`), nodeSelector + ".k", "may not be more than 63 bytes"},

	{"more than 32 labels", podLabels(mapOf(33, `k%d`, `v`)), labelsPath, "must have at most 32 items"},
	{"a label with two slashes in its key", podLabels(`{a/b/c: v}`), labelsPath, "labels" + keySyntax},
	{"a label with a key of 64 characters", podLabels(`{` + text(64) + `: v}`), labelsPath, "labels" + keySyntax},
	{"a label whose value ends in a dot", podLabels(`{k: v.}`), labelsPath + ".k", labelPattern},
	{"a label with a value of 64 characters", podLabels(`{k: ` + text(64) + `}`), labelsPath + ".k", "may not be more than 63 bytes"},

	{"more than 32 annotations", podAnnotations(mapOf(33, `k%d`, `v`)), annotationsPath, "must have at most 32 items"},
	{"an annotation with an empty key", podAnnotations(`{"": v}`), annotationsPath, "annotations" + keySyntax},
	{"an annotation of 4097 characters", podAnnotations(`{k: ` + text(4097) + `}`), annotationsPath + ".k", "may not be more than 4096 bytes"},
}
