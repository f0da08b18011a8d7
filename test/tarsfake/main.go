// SPDX-License-Identifier: Apache-2.0

// Command tarsfake is a stand-in for TARS for demos and tests. README.md lists
// what it serves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: tarsfake [serve] [flags]       serve until SIGTERM
       tarsfake certificate [flags]   write ca.crt, tls.crt and tls.key into a folder
Each takes -h.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "tarsfake:", err)
		stop()
		os.Exit(1)
	}
}

// run is the program without its surroundings.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	if len(args) == 0 || len(args[0]) > 0 && args[0][0] == '-' {
		return serve(ctx, args, stderr)
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], stderr)
	case "certificate":
		return certificate(args[1:], stderr)
	default:
		return fmt.Errorf("unknown command %q\n%s", args[0], usage)
	}
}
