# SPDX-License-Identifier: Apache-2.0
# `make` lists the targets. Tools are pinned in hack/tools and run from there.

VERSION        ?= $(shell sed -n 's/^appVersion: *"\{0,1\}\([^" ]*\).*/\1/p' charts/tars-operator/Chart.yaml)
IMG            ?= ghcr.io/tars-operator/tars-operator:$(VERSION)
PLATFORMS      ?= linux/amd64,linux/arm64
CONTAINER_TOOL ?= docker
KUBECTL        ?= kubectl
HELM           ?= helm
HELM_RELEASE   ?= tars-operator
NAMESPACE      ?= tars-system
HELM_ARGS      ?=
ignore-not-found ?= false
SOAK_REQUESTS  ?= 100000

CONTROLLER_GEN ?= go tool -modfile=hack/tools/go.mod controller-gen
HELM_DOCS      ?= go tool -modfile=$(CURDIR)/hack/tools/helm/go.mod helm-docs
KUSTOMIZE      ?= go tool -modfile=hack/tools/go.mod kustomize
GOLANGCI_LINT  ?= go tool -modfile=$(CURDIR)/hack/tools/lint/go.mod golangci-lint
GINKGO         ?= go run github.com/onsi/ginkgo/v2/ginkgo
CLUSTER        ?= test/cluster/cluster

# The version of our own programs; see main.go.
LDFLAGS = -s -w -X main.version=$(VERSION)
comma   := ,

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

##@ General

.PHONY: help
help: ## Show this list.
	@awk '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	      /^[a-z0-9-]+:.*## / { name = $$0; sub(/:.*/, "", name); text = $$0; sub(/.*## /, "", text); \
	                            printf "  %-16s %s\n", name, text }' $(firstword $(MAKEFILE_LIST))

.PHONY: clean
clean: ## Remove what was built here; the cache of built tools stays.
	rm -rf bin dist

##@ Development

.PHONY: manifests
manifests: ## Generate the CRD and the manager's role from the markers.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=manager-role paths=./controllers/... output:rbac:artifacts:config=config/rbac

.PHONY: generate
generate: ## Generate the DeepCopy methods.
	$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./api/...

.PHONY: sync
sync: ## Copy the generated manifests, the alerts and the dashboard into the chart.
	hack/sync-chart.sh

.PHONY: dashboard
dashboard: ## Generate the Grafana dashboard.
	go run -C hack/tools ./dashboard >config/grafana/dashboard.json

.PHONY: docs
docs: ## Generate docs/api.md from the CRD, and the chart's README from its values.
	go run -C hack/tools ./apidoc <config/crd/bases/gateway.tars.dev_tarsbackends.yaml >docs/api.md
	$(HELM_DOCS) --chart-search-root=charts --sort-values-order=file --log-level=warning

.PHONY: goldens
goldens: ## Rewrite the golden files from what the code does now; read the diff.
	hack/goldens.sh

.PHONY: fmt
fmt: ## Format the code.
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: run
run: ## Run the manager here against the cluster of kubectl's current context.
	go run -ldflags '$(LDFLAGS)' . manager --extproc-image=$(IMG)

##@ Verify

.PHONY: verify
verify: ## Fail when anything generated is out of date; changes nothing.
	hack/verify.sh

.PHONY: lint
lint: ## Run golangci-lint and shellcheck.
	hack/lint.sh

.PHONY: lint-fix
lint-fix: ## Run golangci-lint and let it mend what it can.
	$(GOLANGCI_LINT) run --fix

.PHONY: lint-config
lint-config: ## Check golangci-lint's own configuration.
	$(GOLANGCI_LINT) config verify

.PHONY: setup-envtest
setup-envtest: ## Build etcd and kube-apiserver for tests once; print where they are.
	@hack/envtest-assets.sh

.PHONY: test
test: ## Run all tests that need no root: with a real API server and a real Envoy.
	hack/test.sh

.PHONY: test-dataplane
test-dataplane: ## Run only the tests of the external processor on a real Envoy.
	hack/test.sh ./test/dataplane

.PHONY: figures
figures: ## Measure all that follows up to links, on one local cluster, into docs/evidence/figures.txt (root).
	hack/figures.sh all

.PHONY: cycles
cycles: ## Try CYCLES times (200), on a local cluster, that the first request after Ready is served (root).
	hack/figures.sh cycles

.PHONY: crowd
crowd: ## Measure, on a local cluster, what CROWD (100) TarsBackends on a listener cost its other apps (root).
	hack/figures.sh crowd

.PHONY: rest
rest: ## Watch a local cluster's audit log for REST_MINUTES (10): at rest the operator writes nothing (root).
	hack/figures.sh rest

.PHONY: links
links: ## Break each link in turn, on a local cluster: how soon the status tells, and tells of the mend (root).
	hack/figures.sh links

.PHONY: faults
faults: ## Run the fault suite with every failure of the API server in every request.
	KUBEBUILDER_ASSETS="$$(hack/envtest-assets.sh)" TARS_TEST_EVERY_FAILURE=1 go test ./controllers -timeout 60m -count=1 -ginkgo.v -ginkgo.focus "A failure of the API server"

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (30s) each; make test runs their known inputs.
	hack/fuzz.sh

.PHONY: soak
soak: ## Send SOAK_REQUESTS (100000) requests through a real Envoy and look for what is left behind.
	TARS_SOAK_REQUESTS=$(SOAK_REQUESTS) $(GINKGO) run -v --focus="A soak" --timeout=1h ./test/dataplane

.PHONY: scale
scale: ## Measure the operator with SCALE_BACKENDS (1000) TarsBackends, Envoy Gateway and Envoys being stubs.
	hack/scale.sh

.PHONY: test-sdk
test-sdk: ## Run OpenAI's and Anthropic's SDKs for Python and Go against a real Envoy.
	hack/test-sdk.sh

.PHONY: test-e2e
test-e2e: ## Run the end-to-end tests on a local cluster of their own (root).
	$(GINKGO) run -v --fail-on-pending --fail-on-empty --timeout=2h ./test/e2e

.PHONY: bench
bench: ## Measure what the external processor costs, into docs/benchmarks (BENCH_SHORT=1: two minutes, printed).
	hack/bench.sh

##@ Build

.PHONY: build
build: ## Build bin/tars-operator.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/tars-operator .

# The image holds nothing but the program, built here for its platform.
.PHONY: dist/image/linux_%
dist/image/linux_%:
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -ldflags '$(LDFLAGS)' -o $@/tars-operator .

.PHONY: docker-build
docker-build: dist/image/linux_$(shell go env GOARCH) ## Build the image IMG for this machine.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMG) .

##@ Deployment

.PHONY: install
install: ## Install the CRD into the current cluster.
	$(KUSTOMIZE) build config/crd | $(KUBECTL) apply --server-side -f -

.PHONY: uninstall
uninstall: delete-tarsbackends ## Delete every TarsBackend and the CRD.
	$(KUSTOMIZE) build config/crd | $(KUBECTL) delete --ignore-not-found=$(ignore-not-found) -f -

# The operator takes part in the deletion of a TarsBackend, so they go first:
# without it they, and with them the CRD, would wait for ever.
.PHONY: delete-tarsbackends
delete-tarsbackends:
	if $(KUBECTL) get crd tarsbackends.gateway.tars.dev >/dev/null 2>&1; then \
	  $(KUBECTL) delete tarsbackends.gateway.tars.dev --all --all-namespaces; fi

.PHONY: deploy
deploy: build-installer ## Deploy the operator to the current cluster with kustomize.
	$(KUBECTL) apply --server-side -f dist/install.yaml

.PHONY: undeploy
undeploy: build-installer delete-tarsbackends ## Undo deploy: delete every TarsBackend, the CRD and the operator.
	$(KUBECTL) delete --ignore-not-found=$(ignore-not-found) -f dist/install.yaml

.PHONY: helm-deploy
helm-deploy: ## Install or upgrade the chart in the current cluster.
	$(HELM) upgrade --install $(HELM_RELEASE) charts/tars-operator --namespace $(NAMESPACE) --create-namespace --wait $(HELM_ARGS)

.PHONY: helm-uninstall
helm-uninstall: ## Uninstall the chart; the CRD and the traffic stay.
	$(HELM) uninstall $(HELM_RELEASE) --namespace $(NAMESPACE)

##@ Demo

.PHONY: demo
demo: ## From nothing to an answer: a local cluster, Envoy Gateway, the chart, a request (root).
	hack/demo.sh

.PHONY: demo-down
demo-down: ## Remove all that demo made.
	hack/demo.sh down

.PHONY: cluster-up
cluster-up: ## Start a local cluster with Envoy Gateway (root).
	$(CLUSTER) up
	$(CLUSTER) gateway

.PHONY: cluster-down
cluster-down: ## Stop it and leave nothing.
	$(CLUSTER) down

##@ Release

.PHONY: build-installer
build-installer: ## Write dist/install.yaml: all that deploy applies, with image IMG.
	hack/build-installer.sh $(IMG)

.PHONY: docker-push
docker-push: ## Push the image IMG.
	$(CONTAINER_TOOL) push $(IMG)

.PHONY: docker-buildx
docker-buildx: $(subst linux/,dist/image/linux_,$(subst $(comma), ,$(PLATFORMS))) ## Build the image IMG for all PLATFORMS and push it.
	$(CONTAINER_TOOL) buildx build --platform=$(PLATFORMS) --build-arg VERSION=$(VERSION) --push -t $(IMG) .
