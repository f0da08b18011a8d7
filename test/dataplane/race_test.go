// SPDX-License-Identifier: Apache-2.0

//go:build race

package dataplane

// raceDetector tells whether the suite has it, as in make test.
const raceDetector = true
