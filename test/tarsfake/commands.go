// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/tarsfake/certs"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

// keysVariable names keys as the flag --key does, one a line.
const keysVariable = "TARSFAKE_KEYS"

// repeated is a flag that may be given more than once.
type repeated []string

// String is part of flag.Value.
func (r *repeated) String() string { return strings.Join(*r, " ") }

// Set is part of flag.Value.
func (r *repeated) Set(value string) error {
	*r = append(*r, value)
	return nil
}

// serveFlags are those of the command serve.
type serveFlags struct {
	options  server.Options
	keys     repeated
	keyFile  string
	hosts    repeated
	tlsDir   string
	caOut    string
	drain    time.Duration
	logLevel slog.Level
}

func (f *serveFlags) parse(args []string, stderr io.Writer) error {
	set := flag.NewFlagSet("tarsfake serve", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.options.HTTPS, "https-address", ":8443", "`address` of the API with TLS")
	set.StringVar(&f.options.HTTP, "http-address", ":8080", "`address` of the API without TLS")
	set.StringVar(&f.options.Admin, "admin-address", ":9090", "`address` of the admin API")
	set.Var(&f.keys, "key", "`key` to take, sk-...=model1,model2 or sk-... for the default models; repeatable.\n"+
		"Also one a line in $"+keysVariable+". None at all: "+keys.DemoKey)
	set.StringVar(&f.keyFile, "key-file", "", "`file` with one --key a line")
	set.Var(&f.hosts, "tls-host", "`host` of the certificate to make; repeatable (default "+
		strings.Join(server.DefaultHosts(), ", ")+")")
	set.StringVar(&f.tlsDir, "tls-dir", "", "`folder` with tls.crt, tls.key and ca.crt to use instead of making a certificate")
	set.StringVar(&f.caOut, "ca-out", "", "`file` to write the certificate's authority to, in PEM")
	set.IntVar(&f.options.LedgerSize, "ledger-size", ledger.DefaultSize, "`number` of requests to remember")
	set.Int64Var(&f.options.MaxBody, "max-body", server.DefaultMaxBody, "largest request body in `bytes`")
	set.DurationVar(&f.drain, "drain", 5*time.Second, "`time` that requests have to end after SIGTERM")
	set.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "lowest `level` to log: DEBUG, INFO, WARN or ERROR")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("serve takes flags only, not %q", set.Arg(0))
	}
	return nil
}

// serve serves until the context ends.
func serve(ctx context.Context, args []string, stderr io.Writer) error {
	var f serveFlags
	if err := f.parse(args, stderr); err != nil {
		return err
	}
	options, err := f.resolve()
	if err != nil {
		return err
	}
	options.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: f.logLevel}))
	s, err := server.Start(options)
	if err != nil {
		return err
	}
	if f.caOut != "" {
		if len(s.CA()) == 0 {
			return errors.Join(errors.New("--ca-out: the folder of --tls-dir has no "+certs.CAFile), s.Close())
		}
		if err := os.WriteFile(f.caOut, s.CA(), 0o644); err != nil {
			return errors.Join(fmt.Errorf("writing the authority: %w", err), s.Close())
		}
	}
	options.Log.Info("Serving", "http", s.URL(), "https", s.SecureURL(), "admin", s.AdminURL())
	for _, grant := range s.Keys.List() {
		options.Log.Info("Took a key", "fingerprint", grant.Fingerprint, "models", grant.Models)
	}
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.drain)
	defer cancel()
	return s.Shutdown(last)
}

// resolve reads what the flags name.
func (f *serveFlags) resolve() (server.Options, error) {
	options := f.options
	options.Hosts = f.hosts
	if f.tlsDir != "" {
		if len(f.hosts) > 0 {
			return options, errors.New("--tls-dir names a certificate, --tls-host asks for one: give only one of them")
		}
		bundle, err := certs.Load(f.tlsDir)
		if err != nil {
			return options, err
		}
		options.Bundle = bundle
	}
	ring := &keys.Ring{}
	for _, spec := range f.keys {
		if err := ring.AddSpec(spec); err != nil {
			return options, fmt.Errorf("--key: %w", err)
		}
	}
	if err := ring.AddLines(strings.NewReader(os.Getenv(keysVariable))); err != nil {
		return options, fmt.Errorf("$%s: %w", keysVariable, err)
	}
	if f.keyFile != "" {
		if err := addKeyFile(ring, f.keyFile); err != nil {
			return options, err
		}
	}
	if len(ring.List()) > 0 {
		options.Keys = ring
	}
	return options, nil
}

func addKeyFile(ring *keys.Ring, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading --key-file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := ring.AddLines(file); err != nil {
		return fmt.Errorf("--key-file %s: %w", path, err)
	}
	return nil
}

// certificate writes a certificate that outlives the server.
func certificate(args []string, stderr io.Writer) error {
	set := flag.NewFlagSet("tarsfake certificate", flag.ContinueOnError)
	set.SetOutput(stderr)
	var hosts repeated
	dir := set.String("out", "", "`folder` to write to; a certificate in it that is still good is kept")
	set.Var(&hosts, "tls-host", "`host` of the certificate; repeatable (default "+strings.Join(server.DefaultHosts(), ", ")+")")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *dir == "" || set.NArg() > 0 {
		return errors.New("certificate: name the folder, and nothing else, with --out")
	}
	if len(hosts) == 0 {
		hosts = server.DefaultHosts()
	}
	made, err := certs.Ensure(*dir, hosts)
	if err != nil {
		return err
	}
	if made {
		fmt.Fprintln(stderr, "made a certificate in", *dir)
	} else {
		fmt.Fprintln(stderr, "kept the certificate in", *dir)
	}
	return nil
}
