// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// goMemoryPercent is the share of the container's memory that Go's collector
// works to stay below. The rest is for what it does not count: the program
// itself, some 45 MiB, when bodies fill what is theirs of the default limit.
const goMemoryPercent = 65

// goCollectPercent is how much Go's heap may grow before it is collected, in percent
// of what is in use; Go's default is 100. Little is in use between requests and most
// of that never changes, so collecting it all again for some hundred small requests is
// a tenth of their CPU time. The limit above holds whatever this is.
const goCollectPercent = 400

// Process is what the command has of its process.
type Process struct {
	// Version is the program's, for metrics.
	Version string
	// Stderr takes logs, help and errors of flags.
	Stderr io.Writer
}

// Run is the subcommand extproc: it serves Envoy until ctx ends, then drains
// for at most the configuration's drainSeconds.
func Run(ctx context.Context, args []string, process Process) error {
	o, err := parseFlags(args, process.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile(o.configPath)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	cfg, hash, err := config.Parse(data)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", o.configPath, err)
	}
	before := debug.SetMemoryLimit(o.memoryLimit / 100 * goMemoryPercent)
	defer debug.SetMemoryLimit(before)
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(goCollectPercent))
	}
	o.version = process.Version
	d, err := newDaemon(ctx, o, loaded{cfg, hash}, zap.New(zap.UseFlagOptions(&o.log), zap.WriteTo(process.Stderr)))
	if err != nil {
		return err
	}
	return d.serve(ctx)
}
