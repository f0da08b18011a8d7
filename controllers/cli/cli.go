// SPDX-License-Identifier: Apache-2.0

// Package cli has what the commands for the terminal share.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// ErrUsage marks a wrong call, as opposed to a command that failed.
var ErrUsage = errors.New("wrong call")

// Command is a command's way to its terminal.
type Command struct {
	// Name is what is typed after the program's name.
	Name string
	// Synopsis follows the name in the usage; Description follows the usage.
	Synopsis, Description string
	// Stdin is what "-f -" reads.
	Stdin io.Reader
	// Stdout takes the result, Stderr help and whatever is said about it.
	Stdout, Stderr io.Writer
}

// Parse reads flags and arguments, in any order, and returns the arguments. The
// error is flag.ErrHelp, after the help was printed, or wraps ErrUsage.
func (c Command) Parse(fs *flag.FlagSet, args []string) ([]string, error) {
	fs.Init(c.Name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	var positional []string
	for {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(c.Stderr, "Usage: tars-operator %s %s\n\n%s\nFlags:\n", c.Name, c.Synopsis, c.Description)
			fs.SetOutput(c.Stderr)
			fs.PrintDefaults()
			return nil, flag.ErrHelp
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w (see tars-operator %s --help)", ErrUsage, err, c.Name)
		}
		if fs.NArg() == 0 {
			return positional, nil
		}
		positional, args = append(positional, fs.Arg(0)), fs.Args()[1:]
	}
}

// Files is the flag -f: it may be repeated.
type Files []string

// String shows the files as the flag takes them.
func (f *Files) String() string { return strings.Join(*f, ",") }

// Set adds a file.
func (f *Files) Set(value string) error {
	if value == "" {
		return errors.New("give the name of a file, or - for standard input")
	}
	*f = append(*f, value)
	return nil
}
