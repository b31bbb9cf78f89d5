package faulttest

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"entente/internal/notify"
	"entente/internal/testnode"
)

var eventNumber = regexp.MustCompile(`"Event":\{[^{}]*?"id":"(\d+)"|^\{"Event":\{"id":"(\d+)"`)

// TestARestoredNodeHasEverythingButItsSessions works in every room, takes a backup meanwhile, and holds the restored node to what was
// acknowledged before it.
func TestARestoredNodeHasEverythingButItsSessions(t *testing.T) {
	n := served(t, roomsConfig)
	house := openRooms(t, n)
	rnd := rand.New(rand.NewPCG(91, 1))
	house.work(t, 4*time.Second, rnd)
	if err := house.check(t.Context(), rnd); err != nil {
		t.Fatal(err)
	}
	said, none := house.counted()
	if none {
		t.Fatalf("not every room was tried: %s", said)
	}
	numbers := func() map[string]string {
		c := client(t, n, "")
		out := map[string]string{}
		for id := range house.round.events {
			a := must(c.Do(t.Context(), http.MethodGet, "/misp/events/view/"+id, house.mispHead(), nil))(t)
			found := eventNumber.FindSubmatch(a.Body)
			if found == nil {
				t.Fatalf("the event %s has no number: %d %.300s", id, a.Status, a.Body)
			}
			out[id] = string(found[1]) + string(found[2])
		}
		return out
	}
	notices := func() map[string]notify.State {
		out := map[string]notify.State{}
		if err := house.local().Notifications(t.Context(), nil, func(n notify.Notification) error { out[n.ID] = n.State; return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	before, told := numbers(), notices()
	file := filepath.Join(t.TempDir(), "backup")
	must(n.Run(t.Context(), "backup", "--data", n.Data, file))(t)
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	must(n.Run(t.Context(), "restore", file, "--data", restored))(t)
	n.Data = restored
	start(t, n)
	p := house.round
	p.open, p.ended = nil, append(p.ended, p.open...) // a restored node knows no session
	if err := house.check(t.Context(), rnd); err != nil {
		t.Fatal(err)
	}
	for id, number := range numbers() {
		if before[id] != number {
			t.Errorf("the event %s had the number %s and has %s", id, before[id], number)
		}
	}
	after := notices()
	for id := range told {
		if _, ok := after[id]; !ok {
			t.Errorf("the notification %s is gone", id)
		}
	}
	if len(after) != len(told) {
		t.Errorf("there were %d notifications and are %d", len(told), len(after))
	}
	must(n.SignIn(t.Context(), testnode.Analyst))(t)
	t.Log(said)
}
