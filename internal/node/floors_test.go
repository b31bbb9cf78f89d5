package node

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// floors says for every package of the house what it may import of the house. Arrows run down only.
var floors = []struct {
	pkg  string // path.Match pattern below the module
	down []string
}{
	// languages: pure, they know nothing of the house
	{"outside", nil},
	{"label", nil},
	{"stix/pattern", nil},
	{"sigma", nil},
	{"stix", []string{"stix/pattern", "stix/internal/*"}},
	{"stix/internal/*", []string{"outside"}},
	{"taxii", nil},
	{"observable", nil},
	{"peer", []string{"dsse", "label"}},
	{"sensor", nil},
	{"misp", []string{"label", "outside", "stix", "stix/pattern"}},
	{"misp/*", []string{"misp"}},
	{"dsse", nil},
	{"keylog", []string{"dsse"}},
	{"register", []string{"stix", "stix/pattern"}},
	{"accord", []string{"label", "dsse"}},
	{"decision", []string{"accord", "dsse", "keylog", "label", "peer"}},
	{"seal", []string{"dsse"}},
	{"bundle", []string{"dsse", "keylog", "peer", "seal"}},
	{"proof", []string{"accord", "decision", "dsse", "keylog", "peer", "stix"}},
	// memory and key
	{"internal/fault", nil},
	{"internal/disk", nil},
	{"internal/outbound", []string{"internal/fault"}},
	{"internal/record", []string{"label"}},
	{"internal/gate", []string{"accord", "label", "internal/record"}},
	{"internal/keyring", []string{"dsse", "keylog", "seal", "internal/disk", "internal/fault"}},
	{"internal/rendition", []string{"label", "stix"}},
	{"internal/store", []string{"label", "internal/record", "internal/gate", "internal/fault"}},
	{"internal/lite", []string{"internal/disk", "internal/fault"}},
	{"internal/store/*", []string{"label", "internal/record", "internal/gate", "internal/disk", "internal/fault", "internal/store", "internal/lite"}},
	{"internal/blob", []string{"label", "internal/disk", "internal/fault", "internal/record", "internal/gate", "internal/store"}},
	{"internal/identity", []string{"outside", "internal/fault", "internal/gate", "internal/store"}},
	{"internal/ledger", []string{"dsse", "peer", "internal/disk", "internal/fault", "internal/lite"}},
	{"internal/accords", []string{"accord", "dsse", "label", "internal/fault", "internal/gate", "internal/store"}},
	{"internal/indicator", []string{"observable", "stix", "stix/pattern", "internal/disk", "internal/fault"}},
	{"internal/decisions", []string{"accord", "decision", "dsse", "keylog", "peer", "internal/fault", "internal/gate", "internal/store"}},
	{"internal/relay", []string{"dsse", "peer", "internal/fault", "internal/lite"}},
	{"internal/event", nil},
	{"internal/match", []string{"sigma", "internal/event"}},
	{"internal/observation", []string{"stix/pattern", "internal/event", "internal/state"}},
	{"internal/siphash", nil},
	{"internal/state", []string{"internal/fault"}},
	{"internal/correlation", []string{"sigma", "internal/siphash", "internal/state"}},
	{"internal/watch", []string{"sigma", "stix", "stix/pattern", "internal/correlation", "internal/event", "internal/fault", "internal/indicator", "internal/match", "internal/observation", "internal/state"}},
	{"internal/evtx", nil},
	{"internal/syslog", nil},
	{"internal/flow", nil},
	{"internal/input", []string{"internal/disk", "internal/evtx", "internal/fault", "internal/flow", "internal/syslog"}},
	{"internal/spool", []string{"internal/disk", "internal/fault", "internal/lite"}},
	{"internal/stream", []string{"internal/fault", "internal/input", "internal/outbound"}},
	{"internal/recall", []string{"internal/disk", "internal/fault", "internal/siphash"}},
	{"internal/sensor", []string{"sensor", "sigma", "internal/build", "internal/correlation", "internal/event", "internal/disk", "internal/fault", "internal/indicator", "internal/input", "internal/lite", "internal/outbound", "internal/recall", "internal/spool",
		"internal/observation", "internal/state", "internal/stream", "internal/watch", "stix/pattern"}},
	// the waist
	{"internal/exchange", []string{"label", "stix", "internal/fault", "internal/record", "internal/gate", "internal/store"}},
	// workers: none imports another
	{"internal/block", []string{"dsse", "keylog", "label", "stix", "internal/fault", "internal/gate", "internal/exchange", "internal/indicator", "internal/record", "internal/store"}},
	{"internal/index", []string{"label", "stix", "internal/fault", "internal/lite", "internal/record", "internal/gate", "internal/store"}},
	{"internal/notify", []string{"outside", "label", "stix", "register", "internal/fault", "internal/record", "internal/gate", "internal/store", "internal/exchange", "internal/outbound"}},
	{"internal/feed", []string{"outside", "label", "observable", "stix", "taxii", "misp", "internal/fault", "internal/record", "internal/gate", "internal/store", "internal/exchange", "internal/outbound"}},
	{"internal/federation", []string{"accord", "bundle", "dsse", "keylog", "label", "peer", "proof", "seal", "stix", "internal/relay", "internal/accords", "internal/decisions", "internal/exchange", "internal/fault", "internal/gate", "internal/ledger", "internal/record",
		"internal/rendition", "internal/store"}},
	{"internal/lists", []string{"misp", "misp/*", "internal/fault"}},
	{"internal/asset", []string{"label", "stix", "register", "internal/fault", "internal/record", "internal/gate", "internal/store", "internal/exchange"}},
	{"internal/detect", []string{"label", "outside", "sensor", "stix", "internal/fault", "internal/indicator", "internal/lite", "internal/record", "internal/gate", "internal/store", "internal/exchange"}},
	{"internal/peers", []string{"keylog", "internal/fault", "internal/keyring", "internal/store"}},
	{"internal/sso", []string{"internal/fault", "internal/identity", "internal/outbound"}},
	// surfaces: none of them imports a store driver
	{"internal/surface", []string{"label", "internal/fault", "internal/gate", "internal/identity", "internal/exchange"}},
	{"internal/surface/console", []string{"internal/fault", "internal/identity", "internal/surface"}},
	{"internal/surface/taxiiapi", []string{"taxii", "stix", "internal/fault", "internal/gate", "internal/record", "internal/store", "internal/exchange", "internal/surface"}},
	{"internal/surface/mispapi", []string{"label", "stix", "misp", "misp/*", "internal/fault", "internal/gate", "internal/record", "internal/store", "internal/exchange", "internal/identity", "internal/lists", "internal/surface"}},
	{"internal/surface/api", []string{"accord", "bundle", "decision", "dsse", "peer", "proof", "seal", "internal/accords", "internal/decisions", "internal/federation", "keylog", "label", "misp", "misp/*", "observable", "outside", "register", "sensor", "sigma", "stix", "internal/fault", "internal/record", "internal/gate", "internal/keyring", "internal/store",
		"internal/blob", "internal/block", "internal/detect", "internal/identity", "internal/exchange", "internal/asset", "internal/feed", "internal/index", "internal/lists", "internal/notify", "internal/peers", "internal/surface", "internal/build"}},
	{"internal/surface/sensorapi", []string{"sensor", "internal/detect", "internal/fault", "internal/gate", "internal/surface"}},
	{"internal/surface/peerapi", []string{"peer", "internal/federation", "internal/keyring"}},
	{"internal/surface/api/apitest", nil},
	// the top
	{"internal/node", []string{"*", "internal/*", "internal/store/sqlite", "internal/surface/*"}},
	{"internal/alliance", []string{"dsse", "keylog", "accord", "label", "peer", "internal/*", "internal/surface/api"}},
	{"internal/cli", []string{"*", "stix/pattern", "internal/*", "internal/surface/api", "docs"}},
	{"cmd/*", []string{"internal/cli"}},
	{"docs", nil},
	{"internal/build", []string{"docs"}},
	{"starter", nil},
	{"web", nil},
	{"internal/shareddata", nil},
	{"internal/sigmatest", []string{"sigma"}},
	{"internal/phrasebook", nil},
	// measuring and breaking: they run the real program
	{"internal/sample", []string{"label", "stix"}},
	{"internal/testnode", nil},
	{"internal/testnet", []string{"accord", "bundle", "decision", "dsse", "keylog", "label", "peer", "proof", "seal", "internal/relay", "internal/accords", "internal/decisions", "internal/exchange", "internal/federation", "internal/gate", "internal/keyring", "internal/ledger",
		"internal/peers", "internal/record", "internal/store", "internal/store/sqlite"}},
	{"internal/bench", []string{"label", "stix", "internal/sample", "internal/testnode"}},
	{"internal/faulttest", []string{"internal/sample", "internal/testnode"}},
}

func TestArrowsRunDown(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "entente/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		name := strings.TrimPrefix(p.ImportPath, "entente/")
		i := slices.IndexFunc(floors, func(f struct {
			pkg  string
			down []string
		}) bool {
			return matches(f.pkg, name)
		})
		if i < 0 {
			t.Errorf("%s stands on no floor: give it a row in the table, or a place in a room that has one", name)
			continue
		}
		for _, imp := range p.Imports {
			below, ok := strings.CutPrefix(imp, "entente/")
			if !ok || below == "internal/shareddata" {
				continue
			}
			if !slices.ContainsFunc(floors[i].down, func(pattern string) bool { return matches(pattern, below) }) {
				t.Errorf("%s imports %s: arrows run down only", name, below)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d packages were looked at", seen)
	}
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// gate.Own opens everything; only the waist and the node may ask for it.
func TestOwnIsCalledInTwoPlaces(t *testing.T) {
	out, err := exec.Command("grep", "-rlE", `\.Own\(`, "--include=*.go", "../../internal", "../../cmd").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range strings.Fields(string(out)) {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/storetest/") || strings.Contains(file, "/testnet/") {
			continue
		}
		dir := strings.TrimPrefix(path.Dir(file), "../../internal/")
		if dir != "exchange" && dir != "node" && dir != "gate" && dir != "testnet" {
			t.Errorf("%s calls gate.Own", file)
		}
	}
}
