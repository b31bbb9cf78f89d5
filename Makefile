# Entente. `make` builds, `make run` starts a node with a starter set, `make test` runs every test that CI runs.
GO ?= go
BIN := bin/entente
LDFLAGS := -s -w
DATA ?= data/demo

export CGO_ENABLED = 0

# The console is built where npm is. Without it the program shows a page in its place that says so.
NPM := $(shell command -v npm 2>/dev/null)
ifdef NPM
CONSOLE := web/dist/index.html
else
$(info npm is not here: the program is built without its console)
endif
CONSOLE_SOURCE := $(shell find web/src -type f -not -name schema.d.ts 2>/dev/null) web/index.html web/vite.config.ts web/notices.ts web/svelte.config.js web/tsconfig.json

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(CONSOLE_SOURCE) docs/openapi.json
	cd web && npm run --silent build -- --logLevel warn

# A certified OpenID provider, for the story of single sign-on.
web/e2e/oidc/node_modules/.package-lock.json: web/e2e/oidc/package.json web/e2e/oidc/package-lock.json
	cd web/e2e/oidc && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The programs that load what is blocked, for the tests that load it: where they are missing and root asks, they are installed, and no service of
# theirs is started. Elsewhere those tests are skipped.
ENFORCERS := nftables bind9 bind9-utils bind9-dnsutils unbound squid dnsmasq-base pdns-recursor knot-resolver
enforcers:
	@ok=1; for p in nft named named-checkzone dig unbound squid dnsmasq pdns_recursor kresd; do PATH="$$PATH:/usr/sbin:/sbin" command -v $$p >/dev/null || ok=0; done; \
	if [ $$ok = 0 ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		ours=0; [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d && ours=1; }; \
		install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(ENFORCERS) >/dev/null; }; \
		install || { apt-get update >/dev/null && install; } || echo "the programs that load what is blocked are not here: their tests are skipped"; \
		[ $$ours = 0 ] || rm -f /usr/sbin/policy-rc.d; \
	fi

.PHONY: all enforcers build run test go-test fips-test lint fuzz bench nightly docs clean console-test screenshots

all: build

build: $(BIN)

$(BIN): $(CONSOLE) $(shell find . -name '*.go' -not -path './bin/*' -not -path './web/node_modules/*' 2>/dev/null) go.mod go.sum $(shell find internal/surface/console/pages starter docs -type f 2>/dev/null)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/entente

# An alliance for a look around: four nodes, an invented day, and a starter set in the first.
run: build
	$(BIN) demo --data $(DATA)

# How often the node is killed under load.
ENTENTE_KILL_ROUNDS ?= 50
test: export ENTENTE_KILL_ROUNDS := $(ENTENTE_KILL_ROUNDS)
test: build enforcers
	$(MAKE) --no-print-directory --output-sync=target -j2 go-test console-test

go-test:
	$(GO) vet ./...
	$(GO) test -timeout 25m ./...

# The console's types, its logic, and its stories in a real browser against the real program.
ifdef NPM
console-test: build web/e2e/oidc/node_modules/.package-lock.json
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -y --no-install-recommends chromium >/dev/null; } || { apt-get update >/dev/null && apt-get install -y --no-install-recommends chromium >/dev/null; }
	cd web && npm run --silent check && npm run --silent test && npm run --silent stories
else
console-test:
	@echo "npm is not here: the console is not tested"
endif

# What signs, verifies, encrypts and connects, with the frozen cryptographic modules and nothing else allowed (docs/fips.md).
FIPS_PACKAGES := ./outside ./dsse ./keylog ./accord ./decision ./peer ./seal ./bundle ./misp ./stix/... ./internal/keyring ./internal/identity ./internal/notify ./internal/feed ./internal/blob ./internal/accords ./internal/ledger ./internal/peers ./internal/rendition ./internal/federation ./internal/testnet ./internal/asset
fips-test:
	for module in v1.0.0 v1.26.0; do \
		GOFIPS140=$$module $(GO) build -o /dev/null ./cmd/entente && GOFIPS140=$$module GODEBUG=fips140=only $(GO) test $(FIPS_PACKAGES) || exit 1; \
	done

lint:
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

bench: build
	./bench/run

nightly: build
	./bench/nightly

# The pictures in docs/screenshots, taken by the stories.
screenshots: build
	cd web && ENTENTE_SCREENSHOTS=1 npm run --silent stories

docs: build
	ENTENTE_DATA= $(BIN) docs cli --dir docs/cli
	ENTENTE_DATA= $(BIN) docs api > docs/openapi.json

clean:
	rm -rf bin web/node_modules web/e2e/oidc/node_modules web/src/api/schema.d.ts
	find web/dist -mindepth 1 -not -name placeholder.html -delete
