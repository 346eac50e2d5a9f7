# kvnet: two commands on a fresh Debian, as root or with sudo: make demo, make test.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup tools build demo test test-pure lint bench install uninstall clean distclean

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# No git, or a checkout that belongs to somebody else: Go must not ask either.
BUILDVCS := $(shell git rev-parse -q --verify HEAD >/dev/null 2>&1 && echo true || echo false)

# libvirt_dlopen: no libvirt to build or to start. The next two leave out
# connections that kvnet never opens, and their libraries; the last the flag
# library's own manual page, which costs a millisecond at every start.
TAGS    := libvirt_dlopen,libvirt_without_qemu,libvirt_without_lxc,urfave_cli_no_docs
# Where addresses fit its cache of files, the kernel maps a program in pieces of
# 2 MiB and counts all of them as its memory: here it maps what is used.
SPREAD  := -extldflags=-Wl,-Ttext-segment=0x510000
# Small functions of our own are called, not copied into their callers, and functions
# begin at every 16 bytes: a twelfth less of program, no slower.
GOFLAGS_KVNET := -trimpath -buildvcs=$(BUILDVCS) -gcflags 'github.com/kvnet/kvnet/...=-l' -ldflags '-s -w -funcalign=16 $(SPREAD) -X main.version=$(VERSION)'

# golangci-lint's release is part of the rules: another one finds other things.
LINT_VERSION := 2.15.0

# A GOROOT from another Go, or a silent download of one, would hide which Go
# is used: it is the one that setup.sh finds or fetches.
unexport GOROOT
export GOTOOLCHAIN := local
GO_ENV = export PATH="$$(./setup.sh godir):$$PATH";

# What needs root runs as root, whoever runs make. Tests are compiled by the
# user and only run as root, so that the user's build cache stays the user's.
AS_ROOT := $(CURDIR)/setup.sh asroot

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools:
	@./setup.sh tools
	@$(GO_ENV) go mod download

# Installing waits for the disk and compiling for the processors, so both at once.
setup: tools ## install what is missing: Debian packages, Go, modules, the guests' kernel
	@./setup.sh hosts & hosts=$$!; \
	$(MAKE) build || { wait $$hosts; exit 1; }; \
	wait $$hosts
	@$(GO_ENV) $(AS_ROOT) bin/kvlab setup || { ./setup.sh lists && $(AS_ROOT) bin/kvlab setup; } # lists may be missing or stale

build: tools ## bin/kvnet and bin/kvlab
	@$(GO_ENV) CGO_ENABLED=0 go build $(GOFLAGS_KVNET) -o bin/kvlab ./cmd/kvlab
	@$(GO_ENV) go build -tags $(TAGS) $(GOFLAGS_KVNET) -o bin/kvnet ./cmd/kvnet

demo: setup ## the story of README on a sealed host, every command with its real output
	@$(GO_ENV) $(AS_ROOT) integration/demo.sh

# The pure floors are tested without cgo too: a saved snapshot must be judged
# where there is neither libvirt nor a C compiler.
test: setup ## every test, those on sealed hosts included
	@./setup.sh sources
	@./setup.sh root & root=$$!; \
	$(MAKE) test-pure || { wait $$root; exit 1; }; \
	wait $$root
	@$(GO_ENV) $(AS_ROOT) bin/kvlab setup --root .cache/trixie
	@$(GO_ENV) go test -tags $(TAGS) -count 1 -timeout 82m -exec '$(AS_ROOT)' ./...

test-pure:
	@$(GO_ENV) go vet -tags $(TAGS) ./...
	@$(GO_ENV) CGO_ENABLED=0 go build ./xml/... ./bridge/... ./libvirtnet/... ./verify/...
	@$(GO_ENV) CGO_ENABLED=0 go test ./xml/... ./verify/...

lint: tools ## golangci-lint and gofmt, as CI runs them
	@$(GO_ENV) want="version $(LINT_VERSION) built with $$(go env GOVERSION) "; \
	if ! .cache/bin/golangci-lint version 2>/dev/null | sed 's/version v/version /' | grep -qF "$$want"; then \
	  echo "lint: building golangci-lint $(LINT_VERSION) (about a minute, once)" >&2; \
	  GOBIN=$(CURDIR)/.cache/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION); \
	fi; \
	.cache/bin/golangci-lint run

bench: setup ## kvnet against the bare calls and against virsh, with 100 guests
	@$(GO_ENV) go test -tags $(TAGS) -timeout 40m -exec '$(AS_ROOT)' -run '^$$' -bench . -benchmem -p 1 ./...

bin/kvnet:
	@$(MAKE) build

install: bin/kvnet ## kvnet, its man page and its completions, under PREFIX (/usr/local) in DESTDIR
	@set -x; \
	install -D -m 755 bin/kvnet '$(DESTDIR)$(PREFIX)/bin/kvnet'; \
	install -d '$(DESTDIR)$(PREFIX)/share/man/man8' '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions' '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d'; \
	bin/kvnet man | gzip -9n >'$(DESTDIR)$(PREFIX)/share/man/man8/kvnet.8.gz'; \
	bin/kvnet completion bash >'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/kvnet'; \
	bin/kvnet completion zsh >'$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_kvnet'; \
	bin/kvnet completion fish >'$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/kvnet.fish'

uninstall: ## what install put there
	rm -f '$(DESTDIR)$(PREFIX)/bin/kvnet' '$(DESTDIR)$(PREFIX)/share/man/man8/kvnet.8.gz' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/kvnet' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_kvnet' \
	  '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/kvnet.fish'

clean: ## what was built; distclean: what was fetched too
	rm -rf bin

distclean: clean
	rm -rf .cache 2>/dev/null || $(AS_ROOT) rm -rf .cache # the root folder is root's
