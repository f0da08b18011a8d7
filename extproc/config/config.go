// SPDX-License-Identifier: Apache-2.0

// Package config is the contract between the operator, which writes the
// external processor's configuration into a ConfigMap, and the external
// processor, which reads it from a mounted file. Both sides import only this
// package of each other's world.
//
// The configuration holds no credential: the key goes from its Secret through
// Envoy Gateway to Envoy and never passes the external processor.
package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// FileName is the key in the ConfigMap and the name of the mounted file.
const FileName = "config.json"

// Version is the only version of the format so far.
const Version = "v1"

// heldPercent is the share of the container's memory that held bodies may
// take. A body lives twice for a moment, as it was received and as it is sent,
// so this leaves room for that and for the process itself.
const heldPercent = 40

// HeldBytes is how many bytes of bodies the external processor holds at one
// time under a memory limit in bytes. A body beyond it is always refused.
func HeldBytes(memoryLimit int64) int64 { return memoryLimit / 100 * heldPercent }

// Names on the wire between Envoy, the external processor and the operator.
const (
	// HeaderPrefix is that of every header of ours. The external processor
	// removes such headers from client requests, and the route keeps them
	// from TARS.
	HeaderPrefix = "x-tarsbackend-"
	// HeaderPass carries Route.PassToken to the one rule of the HTTPRoute
	// that has a backend.
	HeaderPass = HeaderPrefix + "pass"
	// HeaderModel carries the model that TARS is asked for to later filters
	// (rate limits, access log).
	HeaderModel = HeaderPrefix + "model"
	// HeaderErrorSource on every 4xx and 5xx tells which layer answered.
	HeaderErrorSource = HeaderPrefix + "error-source"
	// HeaderConfigHash on a canary's answer is the hash of the configuration
	// that the answering external processor runs.
	HeaderConfigHash = HeaderPrefix + "config-hash"
	// HeaderRouteHash on a canary's answer is the hash of all children: the answering
	// Envoy's route puts it there. Attribute xds.route_metadata could tell it, too, and
	// costs Envoy a sixth of the CPU time of a small request, on every request.
	HeaderRouteHash = HeaderPrefix + "route-hash"
	// HeaderReplica on a canary's answer is the answering pod's name.
	HeaderReplica = HeaderPrefix + "replica"

	// HeaderProbe on a canary's request is a ticket (ProbeTicket) that lets it
	// through to TARS; on the answer it tells whose answer that is.
	HeaderProbe = HeaderPrefix + "probe"
	// HeaderProbeDetails on such an answer says why it is not TARS's: Envoy's
	// response code details, or what is wrong with the ticket.
	HeaderProbeDetails = HeaderPrefix + "probe-details"

	// MetadataNamespace is that of the dynamic metadata for limits and access
	// logs.
	MetadataNamespace = "tars"
)

// Values of HeaderErrorSource.
const (
	// ErrorSourceClient: the request itself is wrong.
	ErrorSourceClient = "client"
	// ErrorSourceLimit: a limit of the platform was hit.
	ErrorSourceLimit = "limit"
	// ErrorSourceGateway: Envoy itself answered.
	ErrorSourceGateway = "gateway"
	// ErrorSourceExtProc: the external processor is down or overloaded.
	ErrorSourceExtProc = "extproc"
	// ErrorSourceTARS: TARS answered.
	ErrorSourceTARS = "tars"
)

// ErrorSources are all of them.
func ErrorSources() []string {
	return []string{ErrorSourceClient, ErrorSourceLimit, ErrorSourceGateway, ErrorSourceExtProc, ErrorSourceTARS}
}

// Config is the whole configuration of one external processor.
type Config struct {
	// Version is the format's version; see the constant.
	Version string `json:"version"`
	// Routes are told apart by their path prefix. Today there is exactly one; the
	// list leaves room for one external processor shared by several.
	Routes []Route `json:"routes"`
	// DrainSeconds is how long requests in flight may outlive SIGTERM.
	DrainSeconds int64 `json:"drainSeconds"`
}

// LastScrapeSeconds is how long a process that has drained waits at most until its
// metrics are read once more.
const LastScrapeSeconds = 60

// Route is the configuration of one TarsBackend.
type Route struct {
	// Name is "<namespace>/<name>" of the TarsBackend: a label of metrics.
	Name string `json:"name"`
	// PathPrefix is spec.pathPrefix: "/" or "/llm".
	PathPrefix string `json:"pathPrefix"`
	// ServerAddress is spec.endpoint.hostname (OpenTelemetry server.address).
	ServerAddress string `json:"serverAddress"`
	// ServerPort is spec.endpoint.port (OpenTelemetry server.port).
	ServerPort int32 `json:"serverPort"`
	// PassToken is the value of HeaderPass that lets a request reach TARS.
	PassToken string `json:"passToken"`
	// CanaryPath is the whole path of the operator's canary; it begins with
	// "<pathPrefix>/v1/" and ends in an unguessable token.
	CanaryPath string `json:"canaryPath"`
	// Allow is spec.models.allow; empty: every model.
	Allow []string `json:"allow,omitempty"`
	// Aliases are spec.models.aliases, sorted by name.
	Aliases []Alias `json:"aliases,omitempty"`
	// ForwardUnlistedPaths is spec.unlistedPaths after its default was
	// applied.
	ForwardUnlistedPaths bool `json:"forwardUnlistedPaths"`
	// MaxRequestBytes is spec.requestBody.maxSize in bytes.
	MaxRequestBytes int64 `json:"maxRequestBytes"`
}

// Alias is a further name of a model.
type Alias struct {
	// Name is what apps ask for.
	Name string `json:"name"`
	// Model is what TARS is asked for.
	Model string `json:"model"`
}

// Marshal renders a configuration, always the same for the same value, and
// its hash.
func Marshal(c Config) (data []byte, hash string, err error) {
	if err := c.validate(); err != nil {
		return nil, "", err
	}
	data, err = json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, "", fmt.Errorf("rendering the external processor's configuration: %w", err)
	}
	data = append(data, '\n')
	return data, Hash(data), nil
}

// Parse reads a configuration and returns it with its hash. Unknown fields
// are errors: a newer operator's configuration must not be half understood.
func Parse(data []byte) (c Config, hash string, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, "", fmt.Errorf("parsing the external processor's configuration: %w", err)
	}
	if err := c.validate(); err != nil {
		return Config{}, "", err
	}
	return c, Hash(data), nil
}

// Hash identifies a configuration by its bytes: 16 hexadecimal digits.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

func (c Config) validate() error {
	if c.Version != Version {
		return fmt.Errorf("configuration version %q is not %q", c.Version, Version)
	}
	if len(c.Routes) == 0 {
		return errors.New("the configuration holds no route")
	}
	for _, r := range c.Routes {
		if r.PassToken == "" || r.CanaryPath == "" || r.PathPrefix == "" || r.MaxRequestBytes <= 0 {
			return fmt.Errorf("route %q lacks passToken, canaryPath, pathPrefix or maxRequestBytes", r.Name)
		}
	}
	return nil
}
