// SPDX-License-Identifier: Apache-2.0

package main

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("What ext_proc metered", func() {
	It("is the sum of all series of its tokens", func() {
		Expect(meters(`
gen_ai_client_token_usage_bucket{gen_ai_token_type="input",le="1"} 7
gen_ai_client_token_usage_sum{a="b",gen_ai_token_type="input",c="d"} 1.5e+03
gen_ai_client_token_usage_count{a="b",gen_ai_token_type="input",c="d"} 3
gen_ai_client_token_usage_sum{a="x",gen_ai_token_type="input",c="d"} 20
gen_ai_client_token_usage_count{a="x",gen_ai_token_type="input",c="d"} 1
gen_ai_client_token_usage_sum{a="b",gen_ai_token_type="output",c="d"} 9
gen_ai_client_token_usage_count{a="b",gen_ai_token_type="output",c="d"} 3
`)).To(Equal(account{Requests: 4, Input: 1520, Output: 9}))
	})
})
