// SPDX-License-Identifier: Apache-2.0

// Package server is the stand-in for TARS: its API on a plaintext and on a TLS
// port and an admin API on a third. README.md one folder up lists endpoints,
// settings and the admin API.
//
// One request is one exchange: identify the key, take the wishes, read the
// body, then fail, answer in JSON or stream as the wishes say. Whatever
// happens, the ledger knows.
//
// The package and those beside it share no code and no configuration with the
// operator or its external processor: a stand-in that did would share their
// mistakes.
package server
