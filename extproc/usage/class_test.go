// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

var _ = DescribeTable("Class",
	func(status int, f *usage.Failure, want string) {
		Expect(usage.Class(status, f)).To(Equal(want))
	},
	Entry("no error", 200, nil, ""),
	Entry("401", 401, nil, "authentication"),
	Entry("403", 403, &usage.Failure{Code: "x"}, "authentication"),
	Entry("402", 402, nil, "credits"),
	Entry("404", 404, nil, "not_found"),
	Entry("429", 429, nil, "rate_limit"),
	Entry("400", 400, nil, "request"),
	Entry("503", 503, nil, "server"),
	Entry("not ready, at any status", 503, &usage.Failure{Code: "model_not_ready"}, "model_not_ready"),
	Entry("not ready inside a 200", 200, &usage.Failure{Code: "model_not_ready"}, "model_not_ready"),
	Entry("401 inside a 200", 200, &usage.Failure{Code: "401"}, "authentication"),
	Entry("402 inside a 200", 200, &usage.Failure{Code: "402"}, "credits"),
	Entry("a word as the code", 200, &usage.Failure{Code: "insufficient_quota"}, "credits"),
	Entry("a word as the type", 200, &usage.Failure{Code: "x", Type: "overloaded_error"}, "server"),
	Entry("words of a key", 200, &usage.Failure{Type: "authentication_error"}, "authentication"),
	Entry("words of a limit", 200, &usage.Failure{Type: "rate_limit_error"}, "rate_limit"),
	Entry("words of a model", 200, &usage.Failure{Code: "model_not_found", Type: "invalid_request_error"}, "not_found"),
	Entry("words of a request", 200, &usage.Failure{Type: "invalid_request_error"}, "request"),
	Entry("a small number", 200, &usage.Failure{Code: "7"}, "unknown"),
	Entry("nothing said", 200, &usage.Failure{}, "unknown"),
)
