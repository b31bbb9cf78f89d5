package exchange

import (
	"context"
	"errors"
	"testing"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// fullStore has one waiting part that it cannot store.
type fullStore struct{ store.Store }

func (fullStore) Docs(context.Context, string, string, int) ([]store.Doc, error) {
	return []store.Doc{{Kind: docPart, Key: "p/0", Value: []byte(`{"post":"p","collection":"c","objects":["e30="]}`)}}, nil
}

func (fullStore) Doc(context.Context, string, string) (store.Doc, error) {
	return store.Doc{Value: []byte(`{"id":"p","total":1}`)}, nil
}

func (fullStore) PutDocs(context.Context, store.Act, ...store.Doc) error {
	return fault.New(fault.Full, "store.full", "the disk is full")
}

// What could not be stored still waits, however often it is tried: the bound on the queue holds.
func TestTriesDoNotEmptyTheQueue(t *testing.T) {
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: "operational"})
	x := &Exchange{cfg: Config{Gate: func() *gate.Gate { return g }}, store: fullStore{}}
	x.cfg.defaults()
	x.waiting.Store(1)
	for range 3 {
		if err := x.workAll(t.Context()); fault.Of(err) != fault.Full || errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if n := x.waiting.Load(); n != 1 {
		t.Fatalf("%d objects wait", n)
	}
	if x.worked(5); x.waiting.Load() != 0 {
		t.Fatalf("%d objects wait", x.waiting.Load())
	}
}
