// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"bytes"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// document reads one JSON document of an answer: a whole body, or the data
// of one event.
type document struct {
	scanner *jsonscan.Scanner
	tally   *Tally
	opening *opening // set where many documents follow each other

	block        numbers
	broken       bool // the text is no JSON, such as [DONE]
	model        []byte
	hasUsage     bool // of any place
	final        bool // of a place where it is not that of the answer's begin
	emptyChoices bool
	failed       bool
	failure      Failure
}

func newDocument(tally *Tally) *document {
	d := &document{tally: tally}
	d.scanner = jsonscan.NewLenient(answerPlaces, d)
	return d
}

func (d *document) write(p []byte) {
	if d.opening != nil && !d.broken && d.scanner.Offset() == 0 {
		if !d.opening.ahead {
			d.open(p)
			return
		}
		d.catchUp()
	}
	d.scan(p)
}

// catchUp tells the scanner of the ending that was only compared.
func (d *document) catchUp() {
	d.opening.ahead = false
	d.opening.ending.tell(d)
}

func (d *document) scan(p []byte) {
	d.broken = d.broken || d.scanner.Write(p) != nil
}

// Visit implements jsonscan.Visitor.
func (d *document) Visit(v jsonscan.Value) {
	d.opening.visited(v)
	switch v.ID {
	case idModel:
		if v.Kind == jsonscan.String && !v.Truncated {
			d.model = append(d.model[:0], v.Raw...)
		}
	case idChoices:
		d.emptyChoices = v.Kind == jsonscan.Array && v.Empty
	case idType:
		d.failed = d.failed || (v.Kind == jsonscan.String && string(v.Raw) == `"error"`)
	case idError, idErrorCode, idErrorType:
		d.visitError(v)
	case idUsage, idStartUsage:
		d.visitUsage(v)
	case idText:
		// At once: an answer that breaks off has no whole document.
		d.tally.written.Add(v)
	default:
		if n, ok := v.Int(); ok {
			d.block.tell(v.ID, n)
		}
	}
}

// visitUsage is satisfied with one place: null in another says nothing.
func (d *document) visitUsage(v jsonscan.Value) {
	if v.Kind == jsonscan.Object {
		d.hasUsage, d.final = true, d.final || v.ID == idUsage
		d.block.addTurns()
	}
}

func (d *document) visitError(v jsonscan.Value) {
	switch v.ID {
	case idErrorCode:
		d.failure.Code = plain(v)
	case idErrorType:
		d.failure.Type = plain(v)
	default:
		d.failed = d.failed || (v.Kind == jsonscan.String && len(v.Raw) > len(`""`)) || (v.Kind == jsonscan.Object && !v.Empty)
	}
}

// plain is a scalar as text: error codes are numbers or strings.
func plain(v jsonscan.Value) string {
	if text, ok := v.Text(); ok {
		return text
	}
	if v.Kind == jsonscan.Number {
		return string(v.Raw)
	}
	return ""
}

// end closes the document, hands what it said to the tally, and makes ready
// for the next. It reports whether the document is one that only carries
// usage: the last chunk of a stream with include_usage.
func (d *document) end() (usageOnly bool) {
	var ending *known
	if d.opening != nil && d.opening.ahead {
		ending = &d.opening.ending
		if ending.ends { // and has said nothing but its model; the scanner has read nothing
			d.opening.ahead = false
			d.setModel(ending.model)
			return false
		}
		d.catchUp()
	}
	if !d.broken && d.scanner.Close() == nil {
		usageOnly = d.hasUsage && d.emptyChoices && !d.failed
		d.commit()
		if ending != nil {
			ending.ends = true
		}
	}
	d.reset()
	return usageOnly
}

func (d *document) commit() {
	if d.hasUsage {
		d.tally.tell(&d.block, d.final)
	} else {
		d.tally.numbers.mergeHosted(&d.block)
	}
	d.setModel(d.model)
	if d.failed {
		d.tally.setFailure(d.failure)
	}
}

func (d *document) setModel(raw []byte) {
	if len(raw) > 0 && !bytes.Equal(raw, d.tally.rawModel) {
		d.tally.setModel(raw)
	}
}

func (d *document) reset() {
	d.scanner.Reset()
	d.broken = false
	d.block = numbers{}
	d.model = d.model[:0]
	d.hasUsage, d.final, d.emptyChoices, d.failed = false, false, false, false
	d.failure = Failure{}
}
