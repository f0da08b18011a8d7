// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/tars-operator/tars-operator/extproc/config"
)

const (
	// configDir is where the Deployment mounts the ConfigMap.
	configDir = "/etc/tars-operator/extproc"
	// envMemoryLimit is filled by the Deployment from limits.memory.
	envMemoryLimit = "EXTPROC_MEMORY_LIMIT"
	// envPodName is filled by the Deployment from metadata.name.
	envPodName = "POD_NAME"
	// defaultMemoryLimit is used where no limit is known, in bytes.
	defaultMemoryLimit = 512 << 20
)

// options are the command line, and the program's version.
type options struct {
	version     string
	configPath  string
	grpcAddress string
	httpAddress string
	memoryLimit int64
	log         zap.Options
}

// parseFlags reads the command line. Its usage goes to out.
func parseFlags(args []string, out io.Writer) (options, error) {
	o := options{memoryLimit: defaultMemoryLimit, log: zap.Options{TimeEncoder: zapcore.RFC3339NanoTimeEncoder}}
	if text := os.Getenv(envMemoryLimit); text != "" {
		limit, err := strconv.ParseInt(text, 10, 64)
		if err != nil || limit <= 0 {
			return options{}, fmt.Errorf("environment variable %s is %q, not a number of bytes above 0", envMemoryLimit, text)
		}
		o.memoryLimit = limit
	}
	set := flag.NewFlagSet("extproc", flag.ContinueOnError)
	set.SetOutput(out)
	set.StringVar(&o.configPath, "config", filepath.Join(configDir, config.FileName), "Path of the configuration file.")
	set.StringVar(&o.grpcAddress, "grpc-bind-address", ":9002", "Address of the gRPC services: external processing and health.")
	set.StringVar(&o.httpAddress, "http-bind-address", ":9003", "Address of /metrics, /healthz and /readyz.")
	set.Int64Var(&o.memoryLimit, "memory-limit", o.memoryLimit,
		"Memory limit of the container in bytes (default from the environment variable "+envMemoryLimit+").")
	o.log.BindFlags(set)
	if err := set.Parse(args); err != nil {
		return options{}, fmt.Errorf("reading the flags of extproc: %w", err)
	}
	if set.NArg() > 0 {
		return options{}, fmt.Errorf("extproc takes flags only, not %q", set.Arg(0))
	}
	if o.memoryLimit <= 0 {
		return options{}, fmt.Errorf("--memory-limit is %d, not a number of bytes above 0", o.memoryLimit)
	}
	return o, nil
}
