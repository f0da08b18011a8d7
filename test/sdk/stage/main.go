// SPDX-License-Identifier: Apache-2.0

// Command stage runs what an app's SDK meets: a real Envoy with the operator's
// external processor and, behind it, the stand-in for TARS. It prints one line
// of JSON that names their addresses, and ends when its standard input does,
// so that it never outlives the tests that started it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// logVariable names a file for what the processes print.
const logVariable = "TARS_SDK_LOG"

// addresses are what the tests need to know.
type addresses struct {
	// URL is Envoy's, without a path; Admin is that of the stand-in's admin
	// API.
	URL   string `json:"url"`
	Admin string `json:"admin"`
	// Key is the fingerprint of the key that Envoy injects.
	Key string `json:"key"`
	// ClientKey is what the route /secured asks for.
	ClientKey string `json:"clientKey"`
}

func main() {
	root := flag.String("root", ".", "`folder` of the operator's module")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *root)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
}

// run plays until the context or the standard input ends.
func run(ctx context.Context, root string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "tars-sdk-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log := io.Discard
	if path := os.Getenv(logVariable); path != "" {
		file, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("opening the file of $%s: %w", logVariable, err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		log = file
	}
	w, err := build(ctx, root, dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := json.NewEncoder(os.Stdout).Encode(w.addresses); err != nil {
		return fmt.Errorf("telling the addresses: %w", err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}
