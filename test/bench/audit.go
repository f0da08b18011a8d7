// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settleTime is for ext_proc to have counted a request whose client has its
// answer.
const settleTime = 10 * time.Second

// account is what one side has counted: the requests of the model that was asked for, their
// tokens, and whatever there should be nothing of.
type account struct{ Requests, Input, Output, Other int64 }

func (a account) minus(b account) account {
	return account{a.Requests - b.Requests, a.Input - b.Input, a.Output - b.Output, a.Other - b.Other}
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
	return account{Requests: sums.Requests, Input: sums.Sent.Input, Output: sums.Sent.Output}, nil
}

// series are those that tell what ours counted, with their labels and values.
var series = regexp.MustCompile(`(?m)^([a-z_]+)\{(.*)\} ([0-9.e+]+)$`)

// asked are the labels of a request as the bench sends them.
var asked = []string{
	`gen_ai_operation_name="chat"`, `gen_ai_request_model="` + askedModel + `"`, `gen_ai_response_model="` + askedModel + `"`,
}

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
	for _, m := range series.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return a, fmt.Errorf("reading the series %q: %w", m[0], err)
		}
		a.take(m[1], m[2], int64(n))
	}
	return a, nil
}

// take adds a series.
func (a *account) take(name, labels string, n int64) {
	as := func(want ...string) bool {
		return !slices.ContainsFunc(want, func(label string) bool { return !strings.Contains(labels, label) })
	}
	switch input := as(`gen_ai_token_type="input"`); name {
	case "gen_ai_client_token_usage_sum":
		switch {
		case !as(asked...):
			a.Other += n
		case input:
			a.Input += n
		default:
			a.Output += n
		}
	case "gen_ai_client_token_usage_count":
		if input && as(asked...) {
			a.Requests += n
		}
	case "tars_requests_total":
		if !as(`code="200"`, `source="none"`) {
			a.Other += n
		}
	case "gen_ai_server_request_duration_seconds_count":
		if !as(append(asked, `error_type=""`)...) {
			a.Other += n
		}
	case "tars_usage_missing_total", "tars_usage_estimated_tokens_total", "tars_requests_aborted_total", "tars_upstream_errors_total",
		"tars_refusals_total", "tars_token_subset_total":
		a.Other += n
	}
}

// audit compares what all sides counted since it began.
type audit struct {
	stage          *stage
	ledger, meters account
	patience       time.Duration
}

func beginAudit(ctx context.Context, s *stage) (a audit, err error) {
	a.stage, a.patience = s, settleTime
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
	deadline := time.Now().Add(a.patience)
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
