// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// settleTime is for ext_proc to have counted a request whose client has its
// answer.
const settleTime = 10 * time.Second

// account is what one side has counted.
type account struct{ Requests, Input, Output int64 }

func (a account) minus(b account) account {
	return account{a.Requests - b.Requests, a.Input - b.Input, a.Output - b.Output}
}

// ledgerOf is what the stand-in told.
func ledgerOf(ctx context.Context, s *stage) (account, error) {
	data, err := get(ctx, s.standIn.Admin+"/ledger/summary")
	if err != nil {
		return account{}, err
	}
	var sums struct {
		Requests int64
		Sent     struct{ Input, Output int64 }
	}
	if err := json.Unmarshal(data, &sums); err != nil {
		return account{}, fmt.Errorf("reading the ledger: %w", err)
	}
	return account{sums.Requests, sums.Sent.Input, sums.Sent.Output}, nil
}

// metered are the series that tell what ours counted.
var metered = regexp.MustCompile(
	`(?m)^gen_ai_client_token_usage_(sum|count)\{.*gen_ai_token_type="(input|output)".*\} ([0-9.e+]+)$`)

// metersOf is what ours counted.
func metersOf(ctx context.Context, s *stage) (account, error) {
	data, err := get(ctx, "http://"+s.processor.metrics+"/metrics")
	if err != nil {
		return account{}, err
	}
	return meters(string(data))
}

func meters(text string) (account, error) {
	var a account
	for _, m := range metered.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return a, fmt.Errorf("reading the series %q: %w", m[0], err)
		}
		switch m[1] + " " + m[2] {
		case "count input":
			a.Requests += int64(n)
		case "sum input":
			a.Input += int64(n)
		case "sum output":
			a.Output += int64(n)
		}
	}
	return a, nil
}

// audit compares what all sides counted since it began.
type audit struct {
	stage          *stage
	ledger, meters account
}

func beginAudit(ctx context.Context, s *stage) (a audit, err error) {
	a.stage = s
	if a.ledger, err = ledgerOf(ctx, s); err != nil {
		return a, err
	}
	if s.processor.metrics != "" {
		a.meters, err = metersOf(ctx, s)
	}
	return a, err
}

// end says what does not agree, "" when everything does: the answers that the
// client had, those that the stand-in told and, to the token, what ours metered.
func (a audit) end(ctx context.Context, answers int) (string, error) {
	ledger, err := ledgerOf(ctx, a.stage)
	if err != nil {
		return "", err
	}
	told := ledger.minus(a.ledger)
	if told.Requests != int64(answers) {
		return fmt.Sprintf("the client had %d answers, the stand-in gave %d", answers, told.Requests), nil
	}
	if a.stage.processor.metrics == "" {
		return "", nil
	}
	deadline := time.Now().Add(settleTime)
	for {
		now, err := metersOf(ctx, a.stage)
		if err != nil {
			return "", err
		}
		counted := now.minus(a.meters)
		if counted == told {
			return "", nil
		}
		if time.Now().After(deadline) {
			return fmt.Sprintf("ext_proc metered %+v, the stand-in told %+v", counted, told), nil
		}
		<-time.After(settleTime / 200)
	}
}

func get(ctx context.Context, url string) (data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("getting %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("getting %s: %w", url, err)
	}
	data, err = io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(data)))
	}
	if err != nil {
		return nil, fmt.Errorf("getting %s: %w", url, err)
	}
	return data, nil
}
