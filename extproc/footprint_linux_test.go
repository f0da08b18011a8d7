// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"os"
	"regexp"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// residentFile is how much of files is in this process' memory, in KiB.
func residentFile() int {
	GinkgoHelper()
	status, err := os.ReadFile("/proc/self/status")
	Expect(err).NotTo(HaveOccurred())
	match := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	Expect(match).NotTo(BeNil())
	kib, err := strconv.Atoi(string(match[1]))
	Expect(err).NotTo(HaveOccurred())
	return kib
}

var _ = Describe("The program's pages", func() {
	It("are released, and come back when they are needed", func() {
		before := residentFile()
		Expect(releaseProgram()).To(Succeed())
		Expect(residentFile()).To(BeNumerically("<", before*3/4))
		Expect(os.Executable()).NotTo(BeEmpty())
	})
})
