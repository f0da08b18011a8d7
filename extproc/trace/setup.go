// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// serviceName is service.name where neither OTEL_SERVICE_NAME nor
// OTEL_RESOURCE_ATTRIBUTES gives another.
const serviceName = "tars-extproc"

// Options are what New needs.
type Options struct {
	// Version is the binary's, Pod the pod's name.
	Version, Pod string
	// Log takes the exporter's errors.
	Log logr.Logger
}

// New sets traces up as the environment says. Without an endpoint in it the
// Tracer is nil, which makes no spans. A value that is not understood is an
// error.
func New(ctx context.Context, o Options) (*Tracer, error) {
	protocol, err := wanted(os.Getenv)
	if err != nil || protocol == "" {
		return nil, err
	}
	exporter, err := newExporter(ctx, protocol)
	if err != nil {
		return nil, fmt.Errorf("setting up the export of traces from OTEL_* variables: %w", err)
	}
	// A later source wins over an earlier one.
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", serviceName),
		attribute.String("service.version", o.Version),
		attribute.String("service.instance.id", o.Pod),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		o.Log.Info("Traces could not be exported", "error", err.Error())
	}))
	o.Log.Info("exporting traces", "protocol", protocol)
	return newTracer(newProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))), nil
}

// maxValue is the length of an attribute's text, in characters, unless OTEL_* variables
// give another: a client chooses its request's id.
const maxValue = 1024

func newProvider(options ...sdktrace.TracerProviderOption) *sdktrace.TracerProvider {
	limits := sdktrace.NewSpanLimits() // by the environment
	if limits.AttributeValueLengthLimit < 0 {
		limits.AttributeValueLengthLimit = maxValue
	}
	return sdktrace.NewTracerProvider(append(options, sdktrace.WithRawSpanLimits(limits))...)
}

// Protocols of OTLP.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

// wanted is the protocol to export by, "" for none.
func wanted(getenv func(string) string) (string, error) {
	first := func(names ...string) (name, value string) {
		for _, name = range names {
			if value = strings.TrimSpace(getenv(name)); value != "" {
				return name, value
			}
		}
		return name, ""
	}
	if _, disabled := first("OTEL_SDK_DISABLED"); strings.EqualFold(disabled, "true") {
		return "", nil
	}
	switch name, exporter := first("OTEL_TRACES_EXPORTER"); exporter {
	case "none":
		return "", nil
	case "otlp":
	case "":
		if _, endpoint := first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"); endpoint == "" {
			return "", nil
		}
	default:
		return "", fmt.Errorf("environment variable %s is %q: write otlp or none", name, exporter)
	}
	switch name, protocol := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "", protocolHTTP:
		return protocolHTTP, nil
	case protocolGRPC:
		return protocolGRPC, nil
	default:
		return "", fmt.Errorf("environment variable %s is %q: write %s or %s", name, protocol, protocolGRPC, protocolHTTP)
	}
}

// newExporter reads the other variables itself. It connects when there is
// something to send.
func newExporter(ctx context.Context, protocol string) (*otlptrace.Exporter, error) {
	if protocol == protocolGRPC {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}
