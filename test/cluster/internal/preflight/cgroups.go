// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"slices"
	"strings"
)

// cgroupRoot is where every distribution mounts cgroups.
const cgroupRoot = "/sys/fs/cgroup"

// neededControllers are those that the kubelet can't do without, by the
// version of cgroups.
var neededControllers = map[int][]string{
	1: {"cpu", "cpuset", "memory", "pids", "devices", "freezer"},
	2: {"cpu", "cpuset", "memory", "pids"},
}

// Cgroups is what a machine offers.
type Cgroups struct {
	// Version is 1 or 2; 0: none are mounted.
	Version int
	// Controllers are the ones that may be used.
	Controllers []string
	// ReadOnly are the mount points that can't be written to.
	ReadOnly []string
}

// ParseCgroups reads what /proc/mounts says; controllers is the content of
// cgroup.controllers, empty without cgroup v2.
func ParseCgroups(mounts, controllers string) Cgroups {
	c := Cgroups{}
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[1] != cgroupRoot && !strings.HasPrefix(fields[1], cgroupRoot+"/") {
			continue
		}
		options := strings.Split(fields[3], ",")
		switch fields[2] {
		case "cgroup2":
			if fields[1] != cgroupRoot {
				continue // a second hierarchy beside version 1
			}
			c.Version = 2
			c.Controllers = strings.Fields(controllers)
		case "cgroup":
			c.Version = 1
			c.Controllers = append(c.Controllers, options...)
		default:
			continue
		}
		if options[0] == "ro" {
			c.ReadOnly = append(c.ReadOnly, fields[1])
		}
	}
	return c
}

func (c Cgroups) judge() []Finding {
	if c.Version == 0 {
		return []Finding{{
			Problem: "no cgroups are mounted at " + cgroupRoot,
			Fix:     "mount them (cgroup2, or one hierarchy for each controller of version 1)",
		}}
	}
	var all []Finding
	for _, needed := range neededControllers[c.Version] {
		if !slices.Contains(c.Controllers, needed) {
			all = append(all, Finding{
				Problem: "the cgroup controller " + needed + " is not there",
				Fix:     "mount or enable it: kernel parameter cgroup_enable=" + needed,
			})
		}
	}
	for _, dir := range c.ReadOnly {
		all = append(all, Finding{
			Problem: dir + " is mounted read-only",
			Fix:     "this looks like a container: start it with --privileged --cgroupns=host",
		})
	}
	return all
}
