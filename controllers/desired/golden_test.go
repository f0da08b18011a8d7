// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/controllers/desired"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

var _ = Describe("Golden files", func() {
	inputs, err := filepath.Glob(filepath.Join("testdata", "*.in.yaml"))
	if err != nil {
		Fail(err.Error())
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.yaml")
		It("are what Build makes of "+name, func() {
			objects, err := desired.Build(readInput(name))
			Expect(err).NotTo(HaveOccurred())
			got := render(objects)
			golden := filepath.Join("testdata", name+".out.yaml")
			if *update {
				Expect(os.WriteFile(golden, got, 0o600)).To(Succeed())
			}
			want, err := os.ReadFile(golden)
			Expect(err).NotTo(HaveOccurred(), "run make goldens for a new case")
			Expect(string(got)).To(Equal(string(want)), "read the difference; if it is meant, run make goldens")
		})
	}

	It("have a case for each output, and some cases at all", func() {
		Expect(len(inputs)).To(BeNumerically(">=", 15))
		outputs, err := filepath.Glob(filepath.Join("testdata", "*.out.yaml"))
		Expect(err).NotTo(HaveOccurred())
		for i := range outputs {
			outputs[i] = strings.TrimSuffix(outputs[i], ".out.yaml") + ".in.yaml"
		}
		Expect(outputs).To(ConsistOf(inputs))
	})
})

// render writes all objects, in their order, as one YAML stream.
func render(objects desired.Objects) []byte {
	GinkgoHelper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "# configHash: %s\n# routeHash: %s\n# canaryPath: %s\n",
		objects.ConfigHash, objects.RouteHash, objects.CanaryPath)
	for _, obj := range objects.Ordered {
		data, err := yaml.Marshal(fieldsOf(obj))
		Expect(err).NotTo(HaveOccurred())
		out.WriteString("---\n")
		out.Write(data)
	}
	return out.Bytes()
}

// fieldsOf is an object without what only a server fills in.
func fieldsOf(obj client.Object) map[string]any {
	GinkgoHelper()
	data, err := json.Marshal(obj)
	Expect(err).NotTo(HaveOccurred())
	fields := map[string]any{}
	Expect(json.Unmarshal(data, &fields)).To(Succeed())
	delete(fields, "status")
	return fields
}
