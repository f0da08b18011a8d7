// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/test/docs/markdown"
)

func TestGitOps(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/gitops")
}

// healthKey is Argo CD's name for the rule of our kind.
const healthKey = "resource.customizations.health.gateway.tars.dev_TarsBackend"

// healthScript is the Lua that docs/gitops.md has users give Argo CD.
func healthScript() string {
	GinkgoHelper()
	blocks, err := markdown.Blocks("../..", "docs/gitops.md")
	Expect(err).NotTo(HaveOccurred())
	for _, block := range blocks {
		if !strings.Contains(block.Text, healthKey) {
			continue
		}
		var configMap struct {
			Data map[string]string `json:"data"`
		}
		Expect(yaml.UnmarshalStrict([]byte(block.Text), &configMap)).To(Succeed(), block.Where())
		return configMap.Data[healthKey]
	}
	Fail("docs/gitops.md has no " + healthKey)
	return ""
}

// health is what Argo CD shows.
type health struct{ status, message string }

// argoHealth runs the script as Argo CD does: with the object as obj, and no
// library but base, table and string.
func argoHealth(script string, object *unstructured.Unstructured) health {
	GinkgoHelper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString,
	} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", luaValue(state, object.Object))
	Expect(state.DoString(script)).To(Succeed())
	result, ok := state.Get(-1).(*lua.LTable)
	Expect(ok).To(BeTrue(), "the script returns a table")
	return health{result.RawGetString("status").String(), result.RawGetString("message").String()}
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		list := state.NewTable()
		for _, item := range v {
			list.Append(luaValue(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for name, item := range v {
			table.RawSetString(name, luaValue(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// kstatus is what Flux, and every tool that follows kstatus, goes by.
func kstatus(object *unstructured.Unstructured) status.Status {
	GinkgoHelper()
	result, err := status.Compute(object)
	Expect(err).NotTo(HaveOccurred())
	return result.Status
}
