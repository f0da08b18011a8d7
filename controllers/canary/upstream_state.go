// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"net/http"
	"time"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// How often TARS is asked through one Envoy. At a steady 20 s, with up to 8 s for
// an answer that does not come and 2 s between attempts, three failures in a
// row take less than 60 s.
const (
	// reachInterval is between two requests while all is well.
	reachInterval = 20 * time.Second
	// retryAnswer and retryConnection are after a first or second failure: an
	// answer that was wrong, a connection that was not.
	retryAnswer     = 500 * time.Millisecond
	retryConnection = 2 * time.Second
	// failedInterval is while TARS cannot be reached.
	failedInterval = 5 * time.Second
	// A key that TARS does not take is tried again after firstRefused, then after
	// twice as long each time up to lastRefused. A new key is tried at once.
	firstRefused = 10 * time.Second
	lastRefused  = time.Minute
	// staleInterval is after an answer that was not about the current
	// configuration, which takes a moment to arrive everywhere; failedInterval once
	// inARow of them came.
	staleInterval = time.Second
	// inARow is how many failures make a verdict.
	inARow = 3
)

// settling are the waits between the first verifications of a new key: Envoy may
// have sent the old one for a moment, which may still be good.
var settling = []time.Duration{time.Second, 3 * time.Second, 9 * time.Second}

// doubting are the waits between the first refusals of a new key: Envoy, which has it
// in a fifth of a second as a rule, may have sent the old one, which is revoked. So a
// key is found bad only once its refusals last.
var doubting = []time.Duration{time.Second, 1500 * time.Millisecond}

// upstream is what is known of the way to TARS through one Envoy.
type upstream struct {
	reach, key conditions.UpstreamVerdict
	// failures and refusals count in a row, and answers that were not about the current
	// configuration.
	failures, refusals, staled int
	// settled is how many of the settling verifications are done.
	settled int
	// due is when to ask next, verifyDue when to ask for more than an answer.
	due, verifyDue time.Time
	// turn is the place in the whole operator's queue once it is due, asking that the
	// turn came and no answer did yet.
	turn   *turn
	asking bool
	// fresh: the key or the way is new, and has its verdict yet to come or to last.
	// It ends with answers, of which answered counts.
	fresh    bool
	answered int
	// confirm: a HEAD was answered otherwise than by a 2xx, which a GET has to
	// explain. passing: the reason may pass. noHead: it was HEAD itself that is not
	// known there.
	confirm, passing, noHead bool
	// vary varies an interval.
	vary func(time.Duration) time.Duration
}

func newUpstream(vary func(time.Duration) time.Duration) *upstream {
	return &upstream{
		vary:  vary,
		turn:  &turn{},
		fresh: true,
		reach: conditions.UpstreamVerdict{Outcome: conditions.UpstreamPending},
		key:   conditions.UpstreamVerdict{Outcome: conditions.UpstreamPending},
	}
}

// trust takes what was known before the operator started.
func (u *upstream) trust(t Trust) {
	if t.Upstream {
		u.reach.Outcome = conditions.UpstreamServed
	}
	if t.Key {
		u.key.Outcome = conditions.UpstreamServed
	}
}

// good says that nothing is in doubt.
func (u *upstream) good(verify bool) bool {
	return u.reach.Outcome == conditions.UpstreamServed && (!verify || u.key.Outcome == conditions.UpstreamServed)
}

// method is what to ask with: HEAD where an answer is all that is wanted.
func (u *upstream) method(now time.Time, verify bool) string {
	verifyNow := verify && (u.key.Outcome != conditions.UpstreamServed || u.refusals > 0 || !now.Before(u.verifyDue))
	if verifyNow || u.confirm || u.noHead {
		return http.MethodGet
	}
	return http.MethodHead
}

// take takes an answer to a method.
func (u *upstream) take(now time.Time, method string, a upstreamAnswer, plan Upstream) {
	u.asking = false
	defer u.ripen(plan)
	if a.stale {
		if u.staled++; u.staled < inARow {
			u.due = now.Add(staleInterval)
		} else {
			u.due = now.Add(failedInterval)
		}
		return
	}
	u.staled = 0
	if method == http.MethodHead && a.outcome == conditions.UpstreamUnexpected {
		u.confirm, u.passing, u.due = true, a.passing, now
		return
	}
	if method == http.MethodGet && u.confirm {
		u.confirm = false
		u.noHead = u.noHead || (a.outcome == conditions.UpstreamServed && !u.passing)
	}
	u.takeReach(a)
	if method == http.MethodGet && plan.Verify {
		u.takeKey(a)
		if a.outcome == conditions.UpstreamServed {
			u.verifyDue = now.Add(u.nextVerification(plan))
		}
	}
	u.due = now.Add(u.wait(a))
	if plan.Verify && u.good(true) && u.verifyDue.Before(u.due) {
		u.due = u.verifyDue
	}
}

// forgetStale makes ready for another configuration: answers about that of before are
// over.
func (u *upstream) forgetStale(now time.Time) {
	if u.staled > 0 {
		u.staled, u.due = 0, now
	}
}

// freshAnswers are as many as a new key that is good gets until it is settled, and
// two that failed.
const freshAnswers = 6

// ripen ends the precedence of what is new, for it is no longer.
func (u *upstream) ripen(plan Upstream) {
	u.answered++
	verified := u.settled > len(settling) || !plan.Verify
	if u.answered >= freshAnswers || u.judged() || (verified && u.good(plan.Verify)) {
		u.fresh = false
	}
}

// judged says that what fails has failed often enough to be a verdict.
func (u *upstream) judged() bool { return max(u.failures, u.refusals) >= inARow }

// rank says who waits for the next answer: somebody does for the first word on a
// change, or for whether a failure lasts. What is known to fail is routine, for
// all TarsBackends may fail at a time, and a new key is to mend it.
func (u *upstream) rank(verify bool) rank {
	switch inDoubt := u.confirm || u.failures > 0 || u.refusals > 0; {
	case u.judged(), u.staled >= inARow:
		return rankRoutine
	case u.fresh && u.good(verify) && !inDoubt:
		return rankSettling
	case u.fresh, u.asking, inDoubt:
		return rankAwaited
	default:
		return rankRoutine
	}
}

func (u *upstream) takeReach(a upstreamAnswer) {
	verdict := conditions.UpstreamVerdict{Outcome: a.outcome, Detail: a.detail}
	switch a.outcome {
	case conditions.UpstreamServed, conditions.UpstreamRejected, conditions.UpstreamNoCredits, conditions.UpstreamRateLimited:
		u.reach, u.failures = conditions.UpstreamVerdict{Outcome: conditions.UpstreamServed}, 0
	default:
		u.failures++
		switch {
		// A limit of the Gateway's, or one replica whose clock is wrong, may bar a
		// single request: what is known outlives it.
		case u.failures >= inARow, a.outcome == conditions.UpstreamImpossible && undecided(u.reach):
			u.reach = verdict
		case undecided(u.reach):
			u.reach = conditions.UpstreamVerdict{Outcome: conditions.UpstreamPending, Detail: a.detail}
		}
	}
}

// takeKey judges the key. What is no word on it, as 5xx and silence, leaves it
// as it was.
func (u *upstream) takeKey(a upstreamAnswer) {
	verdict := conditions.UpstreamVerdict{Outcome: a.outcome, Detail: a.detail}
	switch a.outcome {
	case conditions.UpstreamServed:
		u.key, u.refusals = conditions.UpstreamVerdict{Outcome: conditions.UpstreamServed}, 0
	case conditions.UpstreamRejected, conditions.UpstreamNoCredits, conditions.UpstreamUnexpected:
		u.refusals++
		if u.refusals >= inARow {
			u.key = verdict
		} else if undecided(u.key) {
			u.key = conditions.UpstreamVerdict{Outcome: conditions.UpstreamPending, Detail: a.detail}
		}
	case conditions.UpstreamRateLimited, conditions.UpstreamImpossible:
		if undecided(u.key) {
			u.key = verdict
		}
	default: // no word on the key
	}
}

// undecided says that a verdict may give way to one that proves nothing. That of an
// Envoy that joined good ones may not: one failure says no more of it than of them.
func undecided(v conditions.UpstreamVerdict) bool {
	switch v.Outcome {
	case conditions.UpstreamPending, conditions.UpstreamRateLimited, conditions.UpstreamImpossible:
		return true
	default:
		return false
	}
}

// nextVerification is the wait after a verification that went well.
func (u *upstream) nextVerification(plan Upstream) time.Duration {
	u.settled++
	if u.settled <= len(settling) {
		return settling[u.settled-1]
	}
	return u.vary(plan.Interval)
}

// verifyWithin has the next verification come within an interval that is new: the one
// before may have been a day.
func (u *upstream) verifyWithin(now time.Time, plan Upstream) {
	if latest := now.Add(u.vary(plan.Interval)); u.verifyDue.After(latest) {
		u.verifyDue = latest
	}
}

// wait is until the next request.
func (u *upstream) wait(a upstreamAnswer) time.Duration {
	switch a.outcome {
	case conditions.UpstreamServed:
		return reachInterval
	case conditions.UpstreamImpossible:
		if u.reach.Outcome != conditions.UpstreamImpossible {
			return retryConnection
		}
		return reachInterval
	case conditions.UpstreamRejected, conditions.UpstreamNoCredits, conditions.UpstreamRateLimited, conditions.UpstreamUnexpected:
		refusals := max(u.refusals, u.failures)
		if u.fresh && 0 < refusals && refusals <= len(doubting) {
			return doubting[refusals-1]
		}
		return refusedWait(refusals)
	case conditions.UpstreamNotServing, conditions.UpstreamNotFound:
		if u.failures < inARow {
			return retryAnswer
		}
		return failedInterval
	default:
		if u.failures < inARow {
			return retryConnection
		}
		return failedInterval
	}
}

// refusedWait is the wait after a number of refusals in a row.
func refusedWait(refusals int) time.Duration {
	if refusals == 0 {
		return firstRefused // rate limited
	}
	if refusals < inARow {
		return retryAnswer
	}
	wait := firstRefused
	for range min(refusals-inARow, 8) {
		wait = min(2*wait, lastRefused)
	}
	return wait
}
