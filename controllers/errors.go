// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// attemptError is what the API server kept us from.
type attemptError struct {
	what string
	err  error
	// secret: the API server's words may quote the object, so they stay out
	// of the status.
	secret bool
}

func (e *attemptError) Error() string {
	if e.secret {
		return fmt.Sprintf("%s: %s", e.what, apierrors.ReasonForError(e.err))
	}
	return fmt.Sprintf("%s: %s", e.what, e.err)
}

func (e *attemptError) Unwrap() error { return e.err }

// attempt says what was tried when err came.
func attempt(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &attemptError{what: fmt.Sprintf(format, args...), err: err}
}

// attemptWithSecret is attempt for a request that carried a key.
func attemptWithSecret(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &attemptError{what: fmt.Sprintf(format, args...), err: err, secret: true}
}

// describe puts an error into words for the status. They have to be the same
// whenever the same thing fails: a changing message is a write, and a write
// wakes us. Errors of the network name ports that change, so they stay in the
// log.
func describe(err error) string {
	if err == nil {
		return ""
	}
	var a *attemptError
	if !errors.As(err, &a) {
		return err.Error() // our own words
	}
	var status apierrors.APIStatus
	switch {
	case !errors.As(a.err, &status):
		return a.what + ": no usable answer from the API server; the manager's log has the error"
	case a.secret || status.Status().Reason == metav1.StatusReasonConflict:
		return fmt.Sprintf("%s: %s", a.what, status.Status().Reason)
	default:
		return fmt.Sprintf("%s: %s", a.what, status.Status().Message)
	}
}
