// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram takes what the start has touched of the program's file out of this
// process' memory: one program is the manager and the external processor, and
// initializing all of it maps three quarters of its 60 MB, of which serving needs a
// small part. That comes back from the page cache when it is used. Only code and
// constants are released, which can never differ from the file.
func releaseProgram() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("looking at the memory's map: %w", err)
	}
	defer maps.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		if !strings.HasSuffix(lines.Text(), " "+program) {
			continue
		}
		var from, to uintptr
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			return fmt.Errorf("reading the memory's map: %w", err)
		}
		if strings.Contains(rights, "w") {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("releasing %s: %w", lines.Text(), errno)
		}
	}
	return lines.Err()
}
