// SPDX-License-Identifier: Apache-2.0

// Package jsonscan validates JSON text (RFC 8259) that arrives in pieces and
// reports where the values of a few named keys are, without building a tree
// of it. Memory is bounded: one bit for each level of nesting, and the bytes
// of the reported scalars up to a limit.
//
// It accepts exactly what encoding/json's Valid accepts.
package jsonscan
