// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// Extproc is a running external processor.
type Extproc struct {
	*Process

	// GRPC and HTTP are its addresses.
	GRPC, HTTP string
}

// Build makes the operator's binary as its image has it; extproc is a subcommand. With
// o.Race it has the race detector, too.
func Build(ctx context.Context, o Options) (string, error) {
	path := filepath.Join(o.Dir, "tars-operator")
	args, cgo := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", path}, "CGO_ENABLED=0"
	if o.Race {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir, cmd.Env = o.Root, append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the operator: %w: %s", err, out)
	}
	return path, nil
}

// StartExtproc runs an external processor on free ports, or on the given gRPC
// address. It ends with the context.
func StartExtproc(ctx context.Context, o Options, grpcAddress string, cfg config.Config) (*Extproc, error) {
	data, _, err := config.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.Dir, config.FileName)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	cmd := exec.CommandContext(ctx, o.Binary, "extproc", "--config", path, "--grpc-bind-address", grpcAddress,
		"--http-bind-address", "127.0.0.1:0", "--zap-log-level="+cmp.Or(o.LogLevel, "debug"))
	cmd.Env = append(append(os.Environ(), "POD_NAME=pod-of-the-test", "EXTPROC_MEMORY_LIMIT=268435456"), o.Env...)
	process, err := start("extproc", cmd, o.Log)
	if err != nil {
		return nil, err
	}
	e := &Extproc{Process: process}
	return e, process.ready(e.addresses)
}

// addresses looks for the line of the log that names them.
func (e *Extproc) addresses() error {
	for line := range strings.Lines(e.Output()) {
		var entry struct{ Msg, GRPC, HTTP string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			e.GRPC, e.HTTP = entry.GRPC, entry.HTTP
			return nil
		}
	}
	return errors.New("it has not told its addresses")
}
