// SPDX-License-Identifier: Apache-2.0

// Package markdown reads the fenced blocks of the project's documents, so that
// tests do what the documents say.
package markdown

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stateWord begins the word of a block's info string that has the block tried
// on a cluster, in the named state: "console e2e=team".
const stateWord = "e2e="

// Block is a fenced block of a page.
type Block struct {
	// Page is the file's path from the top folder, Line the opening fence's.
	Page string
	Line int
	// Heading is that of the section, without its number signs.
	Heading string
	// Language is the first word of the info string.
	Language string
	// State is the one of the cluster that the block is tried in; empty: none.
	State string
	// Text is what is between the fences, without their indentation.
	Text string
}

// Where names a block in messages of tests.
func (b Block) Where() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// FirstLine tells a block from others of its page.
func (b Block) FirstLine() string {
	line, _, _ := strings.Cut(b.Text, "\n")
	return line
}

// Blocks are those of the pages of a top folder that match the patterns.
func Blocks(root string, patterns ...string) ([]Block, error) {
	var blocks []Block
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", pattern, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("no page matches %s", pattern)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("reading a page: %w", err)
			}
			page, err := filepath.Rel(root, file)
			if err != nil {
				return nil, fmt.Errorf("naming a page: %w", err)
			}
			found, err := read(page, string(text))
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, found...)
		}
	}
	return blocks, nil
}

// read takes a page apart. A fence is closed by one of its own indentation.
func read(page, text string) ([]Block, error) {
	var blocks []Block
	var open *Block
	heading, margin := "", ""
	for number, line := range strings.Split(text, "\n") {
		bare := strings.TrimLeft(line, " ")
		fence := strings.HasPrefix(bare, "```")
		switch {
		case open == nil && fence:
			margin = line[:len(line)-len(bare)]
			open = &Block{Page: page, Line: number + 1, Heading: heading}
			for n, word := range strings.Fields(strings.TrimPrefix(bare, "```")) {
				if n == 0 {
					open.Language = word
				} else if state, ok := strings.CutPrefix(word, stateWord); ok {
					open.State = state
				}
			}
		case open != nil && line == margin+"```":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += strings.TrimPrefix(line, margin) + "\n"
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the fence is never closed", open.Where())
	}
	return blocks, nil
}

// Command is one line that a console block types, and what it prints.
type Command struct{ Line, Prints string }

// Commands are those of a console block: a line that begins with "$ ", those
// that continue it after a backslash, and the lines up to the next one.
func (b Block) Commands() []Command {
	var commands []Command
	continued := false
	for line := range strings.SplitSeq(strings.TrimSuffix(b.Text, "\n"), "\n") {
		last := len(commands) - 1
		typed, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins:
			commands = append(commands, Command{Line: typed})
		case last < 0:
			continue // shows nothing that was typed
		case continued:
			commands[last].Line += "\n" + line
		default:
			commands[last].Prints += line + "\n"
			continue
		}
		continued = strings.HasSuffix(line, `\`)
	}
	return commands
}
