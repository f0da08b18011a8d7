// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	runbook = "../../docs/runbook.md"
	reasons = "../../api/v1alpha1/conditions.go"
)

// reasonsInCode are the values of the constants whose names begin with Reason.
func reasonsInCode() []string {
	file, err := parser.ParseFile(token.NewFileSet(), reasons, nil, 0)
	Expect(err).NotTo(HaveOccurred())
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Reason") {
			return true
		}
		literal, isLiteral := v.Values[0].(*ast.BasicLit)
		Expect(isLiteral).To(BeTrue(), v.Names[0].Name)
		value, err := strconv.Unquote(literal.Value)
		Expect(err).NotTo(HaveOccurred())
		Expect("Reason"+value).To(Equal(v.Names[0].Name), "a reason is named after its value")
		found = append(found, value)
		return true
	})
	slices.Sort(found)
	return found
}

// sections are the parts of the runbook under a heading of level 3. Those of
// alerts, at its end, are test/observability's.
func sections() map[string]string {
	text, err := os.ReadFile(runbook)
	Expect(err).NotTo(HaveOccurred())
	found := map[string]string{}
	about, _, split := strings.Cut(string(text), "\n## Alerts\n")
	Expect(split).To(BeTrue())
	for _, part := range strings.Split(about, "\n### ")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		Expect(found).NotTo(HaveKey(heading), "twice in the runbook")
		body, _, _ = strings.Cut(body, "\n## ")
		found[heading] = body
	}
	return found
}

var _ = Describe("the runbook", func() {
	It("has a heading for each reason, and no other", func() {
		var headings []string
		for heading := range sections() {
			headings = append(headings, heading)
		}
		slices.Sort(headings)
		Expect(headings).To(Equal(reasonsInCode()))
	})
	It("says under each what it means, how to look, what that prints and how to fix it", func() {
		for heading, body := range sections() {
			Expect(body).To(And(
				ContainSubstring("**Means**"), ContainSubstring("**Look**"),
				ContainSubstring("**Prints**"), ContainSubstring("**Fix**"),
				ContainSubstring("kubectl "),
			), heading)
		}
	})
})
