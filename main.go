// SPDX-License-Identifier: Apache-2.0

// Command tars-operator connects Envoy Gateway to Tetrate Agent Router Service.
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

	// The image holds nothing but this binary: the certificate authorities that
	// a call to TARS is checked against come with it.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/tars-operator/tars-operator/controllers/check"
	"github.com/tars-operator/tars-operator/controllers/cli"
	"github.com/tars-operator/tars-operator/controllers/manager"
	"github.com/tars-operator/tars-operator/controllers/render"
	"github.com/tars-operator/tars-operator/controllers/selftest"
	"github.com/tars-operator/tars-operator/extproc"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version = "dev"

const usage = `Usage: tars-operator <command> [flags]

Commands:
  manager   run the operator
  extproc   run the external processor that Envoy asks about each request
  render    print the objects that the manager would make, without a cluster
  check     say why a TarsBackend is not Ready, and find mistakes
  selftest  prove that the installed operator works, as helm test asks
  version   print the version

"tars-operator <command> --help" lists a command's flags.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run dispatches to a command and returns the process's exit code: 2 for a
// wrong call, 1 for a command that failed.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		return say(stderr, usage, 2)
	}
	var err error
	switch args[0] {
	case "manager":
		err = manager.Run(ctx, args[1:], manager.Process{Version: version, Stderr: stderr})
	case "extproc":
		err = extproc.Run(ctx, args[1:], extproc.Process{Version: version, Stderr: stderr})
	case "render":
		err = render.Run(ctx, args[1:], render.Process{Version: version, Stdin: os.Stdin, Stdout: stdout, Stderr: stderr})
	case "check":
		err = check.Run(ctx, args[1:], check.Process{Stdin: os.Stdin, Stdout: stdout, Stderr: stderr})
	case "selftest":
		err = selftest.Run(ctx, args[1:], selftest.Process{Stdout: stdout, Stderr: stderr})
	case "version":
		return say(stdout, version+"\n", 0)
	case "help", "-h", "--help":
		return say(stdout, usage, 0)
	default:
		return say(stderr, fmt.Sprintf("unknown command %q\n\n%s", args[0], usage), 2)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, cli.ErrUsage):
		return say(stderr, fmt.Sprintf("tars-operator %s: %s\n", args[0], err), 2)
	default:
		return say(stderr, fmt.Sprintf("tars-operator %s: %s\n", args[0], err), 1)
	}
}

// say writes text and returns the exit code, or 1 if nobody can read it.
func say(w io.Writer, text string, code int) int {
	if _, err := io.WriteString(w, text); err != nil {
		return 1
	}
	return code
}
