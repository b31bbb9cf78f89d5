package asset

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/register"
)

// town is a register over a real store.
type town struct {
	t    testing.TB
	ring *keyring.Ring
	x    *exchange.Exchange
	reg  *Register
	door *door
}

// door is the exchange, with a hand that can change what comes out of it.
type door struct {
	*exchange.Exchange
	forge func(*store.Item)
}

func (d *door) Read(ctx context.Context, v gate.Viewer, q store.Query) (store.Page, error) {
	page, err := d.Exchange.Read(ctx, v, q)
	if d.forge != nil {
		for i := range page.Items {
			d.forge(&page.Items[i])
		}
	}
	return page, err
}

var (
	registrar = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "rita", Roles: []string{gate.RoleRegistrar}, Realm: keyring.Operational}
	officer   = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "otto", Roles: []string{gate.RoleOfficer, gate.RoleAnalyst}, Realm: keyring.Operational}
	stranger  = gate.Viewer{Nation: "XER", Org: "Erewhon CERT", Person: "eve", Roles: []string{gate.RoleAdmin, gate.RoleAnalyst, gate.RoleRegistrar}, Realm: keyring.Operational}
)

func newTown(t testing.TB) *town {
	t.Helper()
	w := &town{t: t}
	dir := t.TempDir()
	var err error
	w.ring, err = keyring.Create(dir, keyring.Names{Nation: "UTO", Org: "Utopia CERT"}, time.Now)
	w.must(err)
	w.must(os.Mkdir(filepath.Join(dir, "store"), 0o700))
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(dir, "store")})
	w.must(err)
	t.Cleanup(func() { db.Close() })
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational})
	w.x, err = exchange.New(t.Context(), exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Gate: func() *gate.Gate { return g }, Signed: []string{register.Type}}, db)
	w.must(err)
	t.Cleanup(w.x.Close)
	w.door = &door{Exchange: w.x}
	w.reg = w.fresh()
	return w
}

// fresh is the register as a node that has just started has it.
func (w *town) fresh() *Register {
	return New(Config{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Door: w.door, Signer: w.ring})
}

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) add(name, network string) View {
	w.t.Helper()
	v, err := w.reg.Add(w.t.Context(), registrar, &register.Constituent{Name: name, Networks: []register.Network{{Range: network}}})
	w.must(err)
	return v
}

func (w *town) bring(format, text string) Review {
	w.t.Helper()
	r, err := w.reg.Import(w.t.Context(), registrar, Import{Format: format}, strings.NewReader(text))
	w.must(err)
	return r
}

func (w *town) concerned(r *Register, value string) string {
	w.t.Helper()
	found, err := r.Match(w.t.Context(), officer, value)
	w.must(err)
	var out []string
	for _, m := range found {
		out = append(out, m.Name+" "+string(m.How))
	}
	return strings.Join(out, ", ")
}

func (w *town) codes() string {
	w.t.Helper()
	v, err := w.reg.Verify(w.t.Context(), officer)
	w.must(err)
	var out []string
	for _, p := range v.Problems {
		out = append(out, p.Code)
	}
	if v.Sound != (len(out) == 0) {
		w.t.Errorf("%+v", v)
	}
	return strings.Join(out, " ")
}

func TestVersionsAreSignedAndChained(t *testing.T) {
	w := newTown(t)
	v := w.add("Harbour", "192.0.2.0/24")
	for i := range 3 {
		c := *v.Constituent
		c.Description = fmt.Sprint("change ", i)
		next, err := w.reg.Put(t.Context(), registrar, c.ID, v.Version, &c)
		w.must(err)
		if next.Constituent.Previous != v.Digest {
			t.Fatalf("change %d names %s, not %s", i, next.Constituent.Previous, v.Digest)
		}
		v = next
	}
	w.must(w.reg.Remove(t.Context(), registrar, v.Constituent.ID, v.Version))
	if got := w.codes(); got != "" {
		t.Error(got)
	}
	all, err := w.reg.Versions(t.Context(), officer, v.Constituent.ID)
	w.must(err)
	if len(all) != 5 || !all[4].Constituent.Revoked || !all[4].Verified {
		t.Errorf("%d versions, the last %+v", len(all), all[len(all)-1])
	}
	if err := w.reg.Remove(t.Context(), registrar, v.Constituent.ID, ""); fault.Of(err) != fault.NotFound {
		t.Errorf("removed twice: %v", err)
	}
}

// Whoever changes bytes in the store, or a signature, is found, and the register no longer speaks for what was changed.
func TestTamperingIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		forge func(w *town) func(*store.Item)
		want  string
	}{
		"the object": {func(*town) func(*store.Item) {
			return func(it *store.Item) {
				it.Record.Body = bytes.Replace(it.Record.Body, []byte("192.0.2.0/24"), []byte("192.0.3.0/24"), 1)
			}
		}, "signature.bytes chain.broken"},
		"the envelope's payload": {func(*town) func(*store.Item) {
			return func(it *store.Item) {
				is, other := base64.StdEncoding.EncodeToString(it.Record.Body), base64.StdEncoding.EncodeToString(bytes.Replace(it.Record.Body, []byte("192.0.2"), []byte("192.0.3"), 1))
				it.Record.Envelope = bytes.Replace(it.Record.Envelope, []byte(is), []byte(other), 1)
			}
		}, "signature.invalid"},
		"another's place": {func(w *town) func(*store.Item) {
			other := w.add("Airport", "198.51.100.0/24")
			held, err := w.door.Read(w.t.Context(), registrar, store.Query{IDs: []string{other.Constituent.ID}})
			w.must(err)
			return func(it *store.Item) {
				it.Record.Body, it.Record.Envelope = held.Items[0].Record.Body, held.Items[0].Record.Envelope
			}
		}, "constituent.place chain.broken"},
		"no envelope": {func(*town) func(*store.Item) { return func(it *store.Item) { it.Record.Envelope = nil } }, "signature.missing"},
		"another's key": {func(w *town) func(*store.Item) {
			other, err := keyring.Create(w.t.TempDir(), keyring.Names{Nation: "UTO", Org: "Utopia CERT"}, time.Now)
			w.must(err)
			return func(it *store.Item) {
				it.Record.Envelope, err = other.SignEnvelope(PayloadType, it.Record.Body)
				w.must(err)
			}
		}, "signature.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			v := w.add("Harbour", "192.0.2.0/24")
			c := *v.Constituent
			c.Description = "changed"
			last, err := w.reg.Put(t.Context(), registrar, c.ID, "", &c)
			w.must(err)
			forge := tc.forge(w)
			w.door.forge = func(it *store.Item) {
				if it.Record.Version == v.Version {
					forge(it)
				}
			}
			if got := w.codes(); got != tc.want && got != strings.Join(reversed(strings.Fields(tc.want)), " ") {
				t.Errorf("the first version: %s", got)
			}
			w.door.forge = func(it *store.Item) {
				if it.Record.Version == last.Version {
					forge(it)
				}
			}
			r := w.fresh()
			for _, value := range []string{"192.0.2.1", "192.0.3.1"} {
				if got := w.concerned(r, value); got != "" {
					t.Errorf("a forged register says that %s concerns %s", value, got)
				}
			}
			got, err := r.Get(t.Context(), officer, c.ID)
			w.must(err)
			if got.Verified {
				t.Error("a forged version is shown as verified")
			}
		})
	}
}

func reversed(s []string) []string {
	out := []string{}
	for i := range s {
		out = append(out, s[len(s)-1-i])
	}
	return out
}

// Who holds the key and leaves the register aside is found too: by the chain.
func TestABrokenChainIsFound(t *testing.T) {
	w := newTown(t)
	v := w.add("Harbour", "192.0.2.0/24")
	other := w.add("Hospital", "198.51.100.0/24")
	hand := func(previous string) {
		t.Helper()
		c := *v.Constituent
		c.Previous, c.Modified = previous, time.Now().UTC().Add(time.Second).Format("2006-01-02T15:04:05.000Z")
		body, err := c.Canonical()
		w.must(err)
		env, err := w.ring.SignEnvelope(PayloadType, body)
		w.must(err)
		out, err := w.x.Accept(t.Context(), registrar, exchange.Submission{Objects: [][]byte{body}, Envelopes: [][]byte{env}, Needs: gate.RegisterWrite})
		w.must(err)
		if out[0].State != exchange.Added {
			t.Fatalf("%+v", out)
		}
	}
	hand(other.Digest)
	if got := w.codes(); got != "chain.broken" {
		t.Error(got)
	}
}

func TestTheRegisterIsNobodyElses(t *testing.T) {
	w := newTown(t)
	v := w.add("Harbour", "192.0.2.0/24")
	if _, err := w.reg.Get(t.Context(), stranger, v.Constituent.ID); fault.Of(err) != fault.NotFound {
		t.Errorf("a stranger reads it: %v", err)
	}
	if list, _, err := w.reg.List(t.Context(), stranger, Query{Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("a stranger lists %d, %v", len(list), err)
	}
	if found, err := w.reg.Match(t.Context(), stranger, "192.0.2.1"); err != nil || len(found) != 0 {
		t.Errorf("a stranger learns whom an address concerns: %+v, %v", found, err)
	}
	if _, err := w.reg.Add(t.Context(), stranger, &register.Constituent{Name: "x"}); fault.Of(err) != fault.Forbidden {
		t.Errorf("a stranger adds: %v", err)
	}
	if _, err := w.reg.Add(t.Context(), officer, &register.Constituent{Name: "x"}); fault.Of(err) != fault.Forbidden {
		t.Errorf("an officer adds: %v", err)
	}
	// What a stranger sends as a constituent is a record like any other, and none of the register.
	body := strings.Replace(mustCanonical(t, v.Constituent), "Harbour", "Harbor!", 1)
	out, err := w.x.Accept(t.Context(), stranger, exchange.Submission{Objects: [][]byte{[]byte(body)}})
	w.must(err)
	if out[0].State != exchange.Added {
		t.Fatalf("%+v", out)
	}
	if got := w.concerned(w.fresh(), "192.0.2.1"); got != "Harbour inside" {
		t.Error(got)
	}
	if got := w.codes(); got != "" {
		t.Error(got)
	}
}

func mustCanonical(t testing.TB, c *register.Constituent) string {
	t.Helper()
	b, err := c.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestChangesAreMatchedAtOnceAndAfterARestart(t *testing.T) {
	w := newTown(t)
	v := w.add("Harbour", "192.0.2.0/24")
	if got := w.concerned(w.reg, "192.0.2.1"); got != "Harbour inside" {
		t.Error(got)
	}
	c := *v.Constituent
	c.Networks = []register.Network{{Range: "198.51.100.0/24"}}
	_, err := w.reg.Put(t.Context(), registrar, c.ID, v.Version, &c)
	w.must(err)
	for _, r := range []*Register{w.reg, w.fresh()} {
		if got := w.concerned(r, "192.0.2.1") + w.concerned(r, "198.51.100.0/24"); got != "Harbour exact" {
			t.Error(got)
		}
	}
	if _, err := w.x.Purge(t.Context(), officer, c.ID, false); err != nil {
		t.Fatal(err)
	}
	if got := w.concerned(w.reg, "198.51.100.1"); got != "" {
		t.Errorf("what was purged is named: %s", got)
	}
	w.add("Harbour", "192.0.2.0/24") // its name is free again
}

func TestOneOfTwoChangesOfOneVersionWins(t *testing.T) {
	w := newTown(t)
	v := w.add("Harbour", "192.0.2.0/24")
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, lost := 0, 0
	for i := range 8 {
		wg.Go(func() {
			c := *v.Constituent
			c.Description = fmt.Sprint(i)
			_, err := w.reg.Put(t.Context(), registrar, c.ID, v.Version, &c)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case fault.Of(err) == fault.Conflict:
				lost++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 || lost != 7 {
		t.Errorf("%d won, %d lost", won, lost)
	}
	if got := w.codes(); got != "" {
		t.Error(got)
	}
}

func TestPagesHoldEveryConstituentOnce(t *testing.T) {
	w := newTown(t)
	var lines strings.Builder
	lines.WriteString("constituent,value\n")
	for i := range 23 {
		fmt.Fprintf(&lines, "c%d,10.%d.0.0/16\n", i, i)
	}
	if r := w.bring("csv", lines.String()); r.Added != 23 {
		t.Fatalf("%+v", r)
	}
	seen := map[string]bool{}
	q := Query{Limit: 5}
	for pages := 0; ; pages++ {
		list, next, err := w.reg.List(t.Context(), officer, q)
		w.must(err)
		for _, v := range list {
			if seen[v.Constituent.ID] {
				t.Errorf("%s twice", v.Constituent.Name)
			}
			seen[v.Constituent.ID] = true
		}
		if next == 0 {
			break
		}
		if len(list) != 5 || pages > 10 {
			t.Fatalf("page %d has %d", pages, len(list))
		}
		q.After = next
	}
	if len(seen) != 23 {
		t.Errorf("%d seen", len(seen))
	}
}

func TestAZoneThatIsNoneIsRefused(t *testing.T) {
	w := newTown(t)
	_, err := w.reg.Add(t.Context(), registrar, &register.Constituent{Name: "x", Contacts: []register.Contact{{Name: "a", Hours: &register.Hours{Zone: "Europe/Atlantis", Mon: "08:00-17:00"}}}})
	if fault.Of(err) != fault.Invalid || fault.As(err).Pointer != "/contacts/0/hours/zone" {
		t.Error(err)
	}
}
