// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strings"

	"github.com/tars-operator/tars-operator/extproc/genai"
)

// Names of package genai as Prometheus has them. One histogram is never split
// into cached and uncached parts: subsets have their own counters (see
// metrics.go).
var (
	nameTokenUsage = promName(genai.TokenUsage)
	nameDuration   = promName(genai.Duration) + "_seconds"
	nameFirstToken = promName(genai.FirstToken) + "_seconds"
	nameEachToken  = promName(genai.EachToken) + "_seconds"

	labelOperation     = promName(genai.OperationName)
	labelProvider      = promName(genai.ProviderName)
	labelTokenType     = promName(genai.TokenType)
	labelRequestModel  = promName(genai.RequestModel)
	labelResponseModel = promName(genai.ResponseModel)
	labelServerAddress = promName(genai.ServerAddress)
	labelServerPort    = promName(genai.ServerPort)
	labelErrorType     = promName(genai.ErrorType)
)

// promName is a name as Prometheus writes it: dots become underscores. A unit
// in braces such as {token} is left out, the unit s is a suffix.
func promName(name string) string { return strings.ReplaceAll(name, ".", "_") }
