# Entente. `make` builds, `make run` starts a node with a starter set, `make test` runs every test that CI runs.
GO ?= go
BIN := bin/entente
LDFLAGS := -s -w
DATA ?= data/utopia

export CGO_ENABLED = 0

.PHONY: all build run test lint fuzz bench nightly docs clean

all: build

build: $(BIN)

$(BIN): $(shell find . -name '*.go' -not -path './bin/*' 2>/dev/null) go.mod go.sum $(shell find internal/surface/console/pages starter docs -type f 2>/dev/null)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/entente

# A node for a look around: its own CA, a collection with the starter set, and a link for the first administrator.
run: build
	$(BIN) demo --data $(DATA)

# How often the node is killed under load.
ENTENTE_KILL_ROUNDS ?= 50
test: export ENTENTE_KILL_ROUNDS := $(ENTENTE_KILL_ROUNDS)
test: build
	$(GO) vet ./...
	$(GO) test ./...

lint:
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

bench: build
	./bench/run

nightly:
	./bench/nightly

docs: build
	ENTENTE_DATA= $(BIN) docs cli --dir docs/cli
	ENTENTE_DATA= $(BIN) docs api > docs/openapi.json

clean:
	rm -rf bin
