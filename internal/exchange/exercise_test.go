package exchange_test

import (
	"bytes"
	"context"
	"testing"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/label"
)

// doorIn is a node's door in a realm, and who hands things in there.
func doorIn(t *testing.T, realm string) (*exchange.Exchange, gate.Viewer) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: realm})
	x, err := exchange.New(t.Context(), exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Gate: func() *gate.Gate { return g }}, db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x, gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "ada", Roles: []string{gate.RoleAnalyst, gate.RoleOfficer}, Realm: realm}
}

// TestObjectsOfAnExerciseAreRefusedElsewhere hands in by hand what a node of an exercise has written into a file.
func TestObjectsOfAnExerciseAreRefusedElsewhere(t *testing.T) {
	const here = "exercise:storm"
	object := indicator(1, label.TLPMarkingID(label.Green, false))
	spaced := "{\n  " + object[1:len(object)-1] + "\n}\n"
	marked := func(o, realm string) string { return string(exchange.Marked([]byte(o), realm)) }
	if got := marked(object, "operational"); got != object {
		t.Errorf("operations marks an object: %s", got)
	}
	if got, want := marked(object, here), object[:len(object)-1]+`,"x_entente_exercise":"storm"}`; got != want {
		t.Errorf("%s\n%s", got, want)
	}
	if once := marked(object, here); marked(once, here) != once {
		t.Error("it is marked twice")
	}
	hidden := object[:len(object)-1] + `,"x_entente_\u0065xercise":"storm"}`
	for name, c := range map[string]struct {
		realm, object string
		want          exchange.State
		kept          string
	}{
		"in operations":                      {"operational", marked(object, here), exchange.Refused, ""},
		"in operations, with white space":    {"operational", marked(spaced, here), exchange.Refused, ""},
		"in operations, its name escaped":    {"operational", hidden, exchange.Refused, ""},
		"in operations, a mark of nothing":   {"operational", object[:len(object)-1] + `,"x_entente_exercise":0}`, exchange.Refused, ""},
		"in another exercise":                {"exercise:calm", marked(object, here), exchange.Refused, ""},
		"in the same exercise":               {here, marked(object, here), exchange.Added, object},
		"in the same exercise, written anew": {here, hidden, exchange.Added, hidden},
		"not marked, in operations":          {"operational", object, exchange.Added, object},
		"not marked, in an exercise":         {here, object, exchange.Added, object},
	} {
		x, v := doorIn(t, c.realm)
		out, err := x.Accept(context.Background(), v, exchange.Submission{Objects: [][]byte{[]byte(c.object)}, Via: "taxii"})
		if err != nil || len(out) != 1 || out[0].State != c.want || c.want == exchange.Refused && out[0].Code != "exercise.object" {
			t.Errorf("%s: %+v %v", name, out, err)
			continue
		}
		page, err := x.Read(context.Background(), v, store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if c.kept == "" && len(page.Items) != 0 || c.kept != "" && (len(page.Items) != 1 || !bytes.Equal(page.Items[0].Record.Body, []byte(c.kept))) {
			t.Errorf("%s: %d objects are kept", name, len(page.Items))
		}
	}
	// What came over the wire and comes again by hand is the same object.
	x, v := doorIn(t, here)
	for i, o := range []string{object, marked(object, here)} {
		out, err := x.Accept(context.Background(), v, exchange.Submission{Objects: [][]byte{[]byte(o)}, Via: "import"})
		if want := []exchange.State{exchange.Added, exchange.Present}[i]; err != nil || out[0].State != want {
			t.Errorf("%+v %v", out, err)
		}
	}
}
