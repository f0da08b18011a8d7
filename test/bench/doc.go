// SPDX-License-Identifier: Apache-2.0

// Command bench measures what the external processor costs: a real Envoy with
// one worker, the operator's binary run as the chart does, and the lean stand-in
// for TARS, all on this machine.
//
// A round starts everything anew and measures each scenario with every variant in
// turn: floor (Envoy alone), noop (an ext_proc that answers and does nothing) and
// ours; with -before, an older binary too. What is reported are medians over the
// rounds of figures that were paired within a round, so that what a busy machine
// does to all of them cancels out. Start reading in main.go; plan.go is what is
// measured, README.md in docs/benchmarks what came out.
package main
