package testnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/bundle"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/testnet"
	"entente/label"
)

// introduce has one nation know the key to which it seals for another.
func introduce(t testing.TB, from, to *testnet.Nation) {
	t.Helper()
	b, err := to.Federation.OwnSealKey()
	if err == nil {
		_, err = from.Federation.LearnSealKey(context.Background(), "pat", b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// packed is a bundle of a nation for another.
func packed(t testing.TB, from *testnet.Nation, to, since string) ([]byte, federation.Bundle) {
	t.Helper()
	b, err := from.Federation.MakeBundle(context.Background(), "pat", federation.BundleRequest{Nation: to, Since: since})
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := from.Federation.OpenBundle(context.Background(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	if err != nil || int64(len(all)) != b.Bytes {
		t.Fatal(len(all), b.Bytes, err)
	}
	return all, b
}

func taken(t testing.TB, n *testnet.Nation, file []byte, state string) federation.Imported {
	t.Helper()
	in, err := n.Federation.ImportBundle(context.Background(), "pat", bytes.NewReader(file))
	if err != nil || in.State != state {
		t.Fatalf("%+v %v, want %s", in, err, state)
	}
	return in
}

// refusal is the code with which a bundle is not taken.
func refusal(n *testnet.Nation, file []byte) string {
	_, err := n.Federation.ImportBundle(context.Background(), "pat", bytes.NewReader(file))
	if err == nil {
		return ""
	}
	return fault.As(err).MachineCode()
}

// Whatever is done to a file, it is taken as it was made or not at all, and once.
func TestBundlesAreTakenWholeAndOnce(t *testing.T) {
	net, _, can, usa := pair(t)
	net.Part("CAN", "USA")
	introduce(t, can, usa)
	for i := range 20 {
		can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(i, 1, "carried", "by hand"))
	}
	file, made := packed(t, can, "USA", "")
	if made.Number != 1 || made.Leaves < 20 {
		t.Fatalf("%+v", made)
	}
	before := len(usa.Held())
	for at := 0; at < len(file); at += len(file)/40 + 1 {
		changed := slices.Clone(file)
		changed[at] ^= 0x40
		if refusal(usa, changed) == "" {
			t.Fatalf("byte %d was changed, and the bundle was taken", at)
		}
	}
	for _, n := range []int{0, 10, len(file) / 2, len(file) - 1} {
		if refusal(usa, file[:n]) == "" {
			t.Fatalf("%d of %d bytes were taken", n, len(file))
		}
	}
	if code := refusal(usa, append(slices.Clone(file), 0)); code == "" {
		t.Error("a byte that follows the end was passed over")
	}
	if code := refusal(can, file); code != "bundle.receiver" {
		t.Errorf("to another receiver: %s", code)
	}
	if got, err := usa.Federation.VerifyBundle(context.Background(), bytes.NewReader(file)); err != nil || got.New != made.Leaves || got.State != federation.BundleHolds || got.Words != "" {
		t.Errorf("%+v %v", got, err)
	}
	if after := len(usa.Held()); after != before {
		t.Fatalf("%d records came with what was refused", after-before)
	}
	book, err := usa.Federation.Bundles(context.Background())
	if err != nil || len(book.Refused) < 40 || len(book.Taken) > 0 || len(book.Waiting) > 0 {
		t.Fatalf("%d refused, %v", len(book.Refused), err)
	}

	in := taken(t, usa, file, federation.BundleTaken)
	if in.Stored != 20 || !usa.Sees(testnet.ID("malware", 19)) {
		t.Errorf("%+v", in)
	}
	all := len(usa.Held())
	if again := taken(t, usa, file, federation.BundleKnown); again.Words != in.Words || len(usa.Held()) != all {
		t.Errorf("a second time: %+v", again)
	}
	digest, err := bundle.ParseWords(in.Words)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := can.Federation.AckBundle(context.Background(), "pat", "", digest); err != nil {
		t.Error(err)
	}
	digest[0]++
	if _, err := can.Federation.AckBundle(context.Background(), "pat", "", digest); fault.As(err).MachineCode() != "bundle.ack" {
		t.Error(err)
	}
	if _, next := packed(t, can, "USA", ""); next.Leaves != 0 || next.Bytes > made.Bytes/2 {
		t.Errorf("what arrived is repeated: %+v", next)
	}
}

// Where nothing comes back each bundle repeats what came before it: one that is lost is named, and hinders nothing.
func TestThroughADiode(t *testing.T) {
	net, _, can, usa := pair(t)
	net.Part("CAN", "USA")
	introduce(t, can, usa)
	var files [][]byte
	for i := range 4 {
		can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(i, 1, "carried", "one way"))
		file, _ := packed(t, can, "USA", "")
		files = append(files, file)
	}
	taken(t, usa, files[0], federation.BundleTaken)
	in := taken(t, usa, files[2], federation.BundleTaken)
	if len(in.Missing) != 1 || !strings.HasPrefix(in.Missing[0], "bundle 2 of CAN/") || in.Stored != 2 {
		t.Errorf("%+v", in)
	}
	if code := refusal(usa, files[1]); code != "bundle.known" {
		t.Errorf("a bundle that a later one repeats: %q", code)
	}
	if in := taken(t, usa, files[3], federation.BundleTaken); in.Stored != 1 || len(in.Missing) > 0 {
		t.Errorf("%+v", in)
	}
}

// A bundle may come after a connection brought a part of it, or before it brings the same: everything is stored once.
func TestBundlesAndConnectionsMeet(t *testing.T) {
	net, _, can, usa := pair(t)
	introduce(t, can, usa)
	to := testnet.To(label.Amber, "USA")
	can.Push(to, testnet.Malware(1, 1, "by wire", "first"))
	net.Settle()
	net.Part("CAN", "USA")
	can.Push(to, testnet.Malware(2, 1, "by hand", "then"))
	file, made := packed(t, can, "USA", federation.SinceNothing)
	in := taken(t, usa, file, federation.BundleTaken)
	if in.Stored != 1 || in.New >= made.Leaves || !usa.Sees(testnet.ID("malware", 2)) {
		t.Errorf("%+v of %+v", in, made)
	}
	held := len(usa.Held())
	can.Push(to, testnet.Malware(3, 1, "by both", "at last"))
	late, _ := packed(t, can, "USA", federation.SinceMade)
	net.Heal("CAN", "USA")
	net.Settle()
	if !usa.Sees(testnet.ID("malware", 3)) || len(usa.Held()) != held+1 {
		t.Errorf("%d records", len(usa.Held()))
	}
	if in := taken(t, usa, late, federation.BundleTaken); in.Stored != 0 || in.New != 0 || len(usa.Held()) != held+1 {
		t.Errorf("what came by wire already: %+v", in)
	}
}

// What a bundle waits for may also come by wire.
func TestABundleWaitsForAConnection(t *testing.T) {
	net, _, can, usa := pair(t)
	introduce(t, can, usa)
	net.Part("CAN", "USA")
	to := testnet.To(label.Amber, "USA")
	can.Push(to, testnet.Malware(1, 1, "lost", "with the first"))
	packed(t, can, "USA", "")
	can.Push(to, testnet.Malware(2, 1, "kept", "in the second"))
	file, _ := packed(t, can, "USA", federation.SinceMade)
	in := taken(t, usa, file, federation.BundleWaiting)
	if len(in.Missing) != 2 || usa.Sees(testnet.ID("malware", 2)) {
		t.Errorf("%+v", in)
	}
	usa.Stop()
	usa.Start() // what waits outlives a start
	net.Heal("CAN", "USA")
	net.Eventually("the bundle is taken once the wire has brought what was missing", func() bool {
		b, err := usa.Federation.Bundles(context.Background())
		return err == nil && len(b.Waiting) == 0 && len(b.Taken) == 1 && b.Taken[0].Number == 2
	})
}

// failing is a door that fails when it is told to.
type failing struct {
	federation.Door
	left *atomic.Int64
}

func (d failing) Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error) {
	if d.left.Add(-1) == 0 {
		return nil, errors.New("the machine lost its power")
	}
	return d.Door.Accept(ctx, v, s)
}

// A node that stops in the middle of an import has what it took, and takes the rest the next time.
func TestAnImportThatWasInterrupted(t *testing.T) {
	clock := testnet.NewClock(time.Now().UTC().Truncate(time.Minute).Add(time.Hour))
	var left atomic.Int64
	net := testnet.New(t, testnet.Options{Now: clock.Now, Door: func(n *testnet.Nation, d federation.Door) federation.Door {
		if n.Code != "USA" {
			return d
		}
		return failing{d, &left}
	}}, "CAN", "USA")
	net.Agree(testnet.Treaty{Name: "border", Parties: []string{"CAN", "USA"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber}}}.Text(), "CAN", "USA")
	can, usa := net.As("CAN"), net.As("USA")
	net.Settle()
	net.Part("CAN", "USA")
	introduce(t, can, usa)
	text := strings.Repeat("long ", 40_000)
	for i := range 40 { // several parts
		can.Push(testnet.To(label.Amber, "USA"), testnet.Malware(i, 1, "carried", text))
	}
	file, _ := packed(t, can, "USA", "")
	left.Store(3)
	if code := refusal(usa, file); code != "internal" {
		t.Fatal(code)
	}
	some := len(usa.Held())
	usa.Stop()
	usa.Start()
	if some == 0 || some >= 40 {
		t.Fatalf("%d records were taken before", some)
	}
	if in := taken(t, usa, file, federation.BundleTaken); in.Stored != 40-some || len(usa.Held()) != 40 {
		t.Errorf("%+v after %d", in, some)
	}
	if b, err := usa.Federation.Bundles(context.Background()); err != nil || len(b.Refused) > 0 {
		t.Errorf("a failure of the node itself is no refusal: %+v %v", b.Refused, err)
	}
}

// BenchmarkImportBundle takes 5,000 objects from a bundle, through the store.
func BenchmarkImportBundle(b *testing.B) {
	const count = 5000
	for b.Loop() {
		b.StopTimer()
		net := testnet.New(b, testnet.Options{}, "CAN", "USA")
		net.Agree(testnet.Treaty{Name: "border", Parties: []string{"CAN", "USA"}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Amber}}}.Text(), "CAN", "USA")
		can, usa := net.As("CAN"), net.As("USA")
		net.Settle()
		net.Part("CAN", "USA")
		introduce(b, can, usa)
		var objects []string
		for i := range count {
			objects = append(objects, testnet.Malware(i, 1, "carried", "by hand"))
		}
		can.Push(testnet.To(label.Amber, "USA"), objects...)
		file, _ := packed(b, can, "USA", "")
		b.StartTimer()
		if in := taken(b, usa, file, federation.BundleTaken); in.Stored != count {
			b.Fatalf("%+v", in)
		}
		b.StopTimer()
		b.SetBytes(int64(len(file)))
		net.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "objects/s")
}
