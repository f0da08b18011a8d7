// SPDX-License-Identifier: Apache-2.0

package crd

const (
	starInside    = "* may stand only at the end of an allowed model: write for example claude-*"
	modelText     = "a model may hold only printable ASCII characters without spaces"
	aliasName     = "an alias's name may hold only printable ASCII characters without spaces and *"
	aliasModel    = "an alias's model must be one exact model: printable ASCII characters without spaces and *"
	aliasOfAlias  = "an alias must point at a model, not at the name of an alias: write the model itself"
	aliasesPath   = "spec.models.aliases"
	allowPath     = "spec.models.allow"
	allow0Path    = allowPath + "[0]"
	aliasNamePath = aliasesPath + "[0].name"
)

// allow is a spec that allows the given models.
func allow(models string) string { return `models: {allow: ` + models + `}` }

// aliases is a spec with the given aliases.
func aliases(list string) string { return `models: {aliases: ` + list + `}` }

var modelRefusals = []refusal{
	{"an empty allow-list, which could mean all or none", allow(`[]`), allowPath, "should have at least 1 items"},
	{"more than 256 allowed models", allow(listOf(257, `m%d`)), allowPath, "must have at most 256 items"},
	{"a model allowed twice", allow(`[a, b, a]`), allowPath + "[2]", "Duplicate value"},
	{"a * at the beginning", allow(`["*-mini"]`), allow0Path, starInside},
	{"a * in the middle", allow(`["gpt-*-mini"]`), allow0Path, starInside},
	{"two *", allow(`["gpt-**"]`), allow0Path, starInside},
	{"a model with a space", allow(`["gpt 4o"]`), allow0Path, modelText},
	{"an empty model", allow(`[""]`), allow0Path, modelText},
	{"a model with a line break", allow(`["gpt\n"]`), allow0Path, modelText},
	{"a model beyond ASCII", allow(`["modèle"]`), allow0Path, modelText},
	{"a model of 257 characters", allow(`[` + text(257) + `]`), allow0Path, "may not be more than 256 bytes"},

	{"more than 64 aliases", aliases(listOf(65, `{name: a%d, model: m}`)), aliasesPath, "must have at most 64 items"},
	{"two aliases of one name", aliases(`[{name: a, model: b}, {name: a, model: c}]`), aliasesPath + "[1]", "Duplicate value"},
	{"an alias of an alias", aliases(`[{name: a, model: b}, {name: b, model: c}]`), aliasesPath, aliasOfAlias},
	{"an alias of itself", aliases(`[{name: a, model: a}]`), aliasesPath, aliasOfAlias},
	{"an alias without a name", aliases(`[{model: m}]`), aliasNamePath, "Required value"},
	{"an alias without a model", aliases(`[{name: a}]`), aliasesPath + "[0].model", "Required value"},
	{"an alias with an empty name", aliases(`[{name: "", model: m}]`), aliasNamePath, aliasName},
	{"an alias with a space in its name", aliases(`[{name: "a b", model: m}]`), aliasNamePath, aliasName},
	{"an alias with a * in its name", aliases(`[{name: "a*", model: m}]`), aliasNamePath, aliasName},
	{
		"an alias with a name of 257 characters", aliases(`[{name: ` + text(257) + `, model: m}]`),
		aliasNamePath, "may not be more than 256 bytes",
	},
	{"an alias of an empty model", aliases(`[{name: a, model: ""}]`), aliasesPath + "[0].model", aliasModel},
	{"an alias of many models", aliases(`[{name: a, model: "claude-*"}]`), aliasesPath + "[0].model", aliasModel},
	{"an alias of a model with a space", aliases(`[{name: a, model: "m n"}]`), aliasesPath + "[0].model", aliasModel},
	{
		"an alias of a model of 257 characters", aliases(`[{name: a, model: ` + text(257) + `}]`),
		aliasesPath + "[0].model", "may not be more than 256 bytes",
	},

	{"unlistedPaths of another word", `unlistedPaths: Allow`, "spec.unlistedPaths", `supported values: "Deny", "Forward"`},
	{"unlistedPaths in lower case", `unlistedPaths: deny`, "spec.unlistedPaths", `supported values: "Deny", "Forward"`},
}
