// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// processTimeout bounds what a test waits for a process.
const processTimeout = 10 * time.Second

// reap waits for a command in the background, and ends it with the test.
func reap(cmd *exec.Cmd) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	DeferCleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			Expect(err).To(MatchError(os.ErrProcessDone))
		}
		Eventually(ended).WithTimeout(processTimeout).Should(Receive())
	})
}

var _ = Describe("a process on the host", func() {
	var dir, record, log string

	BeforeEach(func() {
		dir = GinkgoT().TempDir()
		record, log = filepath.Join(dir, "p.json"), filepath.Join(dir, "p.log")
	})

	start := func(script string) (Process, *exec.Cmd) {
		GinkgoHelper()
		cmd := exec.Command("sh", "-c", script)
		p, err := Start(cmd, record, log)
		Expect(err).NotTo(HaveOccurred())
		reap(cmd)
		return p, cmd
	}

	It("is found again by its record, and ended", func(ctx context.Context) {
		p, _ := start("echo begun; exec sleep 60")
		found, ok := Recorded(record)
		Expect(ok).To(BeTrue())
		Expect(found).To(Equal(p))
		Eventually(func() ([]byte, error) { return os.ReadFile(log) }).WithTimeout(processTimeout).
			Should(BeEquivalentTo("begun\n"))
		Expect(p.End(ctx)).To(Succeed())
		Expect(p.Alive()).To(BeFalse())
		_, ok = Recorded(record)
		Expect(ok).To(BeFalse())
		Expect(p.End(ctx)).To(Succeed(), "ending it twice does no harm")
	})

	It("is not mistaken for a later one of the same id", func(ctx context.Context) {
		p, cmd := start("exec sleep 60")
		earlier := Process{PID: p.PID, Start: p.Start + "1"}
		content, err := json.Marshal(earlier)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(record, content, 0o600)).To(Succeed())
		found, ok := Recorded(record)
		Expect(ok).To(BeFalse())
		Expect(found.End(ctx)).To(Succeed())
		Expect(p.Alive()).To(BeTrue(), "the other one must live on")
		Expect(cmd.ProcessState).To(BeNil())
	})

	It("keeps what is logged by several runs", func() {
		first, _ := start("echo first")
		Eventually(first.Alive).WithTimeout(processTimeout).Should(BeFalse())
		second, _ := start("echo second")
		Eventually(second.Alive).WithTimeout(processTimeout).Should(BeFalse())
		Expect(os.ReadFile(log)).To(BeEquivalentTo("first\nsecond\n"))
	})

	It("is in a session of its own, so that Ctrl-C does not reach it", func() {
		p, _ := start("exec sleep 60")
		out, err := exec.Command("ps", "-o", "sid=", "-p", strconv.Itoa(p.PID)).Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(string(out)).To(MatchRegexp(`^\s*` + strconv.Itoa(p.PID) + `\s*$`))
	})

	It("may have any name", func() {
		program := filepath.Join(dir, "a (b) c) 1 2")
		sleep, err := exec.LookPath("sleep")
		Expect(err).NotTo(HaveOccurred())
		content, err := os.ReadFile(sleep)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(program, content, 0o700)).To(Succeed())
		cmd := exec.Command(program, "60")
		p, err := Start(cmd, record, log)
		Expect(err).NotTo(HaveOccurred())
		reap(cmd)
		Expect(p.Start).To(MatchRegexp(`^\d+$`))
		Expect(p.Alive()).To(BeTrue())
		self, other := startTime(os.Getpid()), p.Start
		Expect(len(other)).To(BeNumerically("~", len(self), 1), "both are ticks since the machine's start")
	})

	DescribeTable("is not taken from a record that is",
		func(content string) {
			Expect(os.WriteFile(record, []byte(content), 0o600)).To(Succeed())
			_, ok := Recorded(record)
			Expect(ok).To(BeFalse())
		},
		Entry("empty", ""),
		Entry("half written", `{"pid": 1`),
		Entry("without a start time", `{"pid": 1}`),
		Entry("of nobody", `{"pid": 0, "start": ""}`),
	)

	It("is not there without a record", func() {
		_, ok := Recorded(record)
		Expect(ok).To(BeFalse())
	})

	It("is reported when it can't be started", func() {
		_, err := Start(exec.Command(filepath.Join(dir, "missing")), record, log)
		Expect(err).To(MatchError(ContainSubstring("missing")))
		Expect(record).NotTo(BeAnExistingFile())
	})
})
