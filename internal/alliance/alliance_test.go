package alliance

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
)

// stand starts an alliance in a directory of the test's own, whose nations know each other.
func stand(t *testing.T, realm string, members ...Member) *Alliance {
	t.Helper()
	ctx := context.Background()
	a, err := Start(ctx, Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Realm: realm, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}, members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		if err := a.Stop(end); err != nil {
			t.Error(err)
		}
	})
	if err := a.Meet(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheInventedDay(t *testing.T) {
	playInvented(t, stand(t, "", Members...))
}

func playInvented(t *testing.T, a *Alliance) {
	t.Helper()
	began := time.Now()
	err := a.Play(context.Background(), Invented(), func(e Event) {
		b, _ := json.Marshal(e)
		t.Logf("%5.2f %s", time.Since(began).Seconds(), b)
		if e.Kind == "failed" {
			t.Error(e.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheInventedDayAsAnExercise plays the same day in a realm of an exercise, beside nodes of operations of the same nations. Neither takes anything of the other.
func TestTheInventedDayAsAnExercise(t *testing.T) {
	ctx := t.Context()
	realms := map[string]*Alliance{"operational": stand(t, "", Members[:2]...), "exercise:tide": stand(t, "exercise:tide", Members...)}
	playInvented(t, realms["exercise:tide"])
	pact := accordsOfTheDay[0]
	d := &Day{Alliance: realms["operational"], tell: func(Event) {}, things: map[string]*thing{}}
	if _, err := d.agree(ctx, pact); err != nil {
		t.Fatal(err)
	}
	for of, from := range realms {
		for at, to := range realms {
			if at == of {
				continue
			}
			var card, bundle strings.Builder
			there, here := from.Find("RUR"), to.Find("UTO")
			if err := there.API.Card(ctx, there.node.PartnerAddr(), &card); err != nil {
				t.Fatal(err)
			}
			if err := there.API.AccordFile(ctx, pact.name, 0, &bundle); err != nil {
				t.Fatal(err)
			}
			book, err := there.API.Keys(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_, byCard := here.API.AddPeer(ctx, "RUR", book.Fingerprint, []byte(card.String()))
			_, byAccord := here.API.AddAccord(ctx, []byte(bundle.String()))
			for what, err := range map[string]error{"peer.realm": byCard, "accord.realm": byAccord} {
				var e *fault.Error
				if !errors.As(err, &e) || e.Code != what {
					t.Errorf("%s takes of %s what should be refused with %s: %v", at, of, what, err)
				}
			}
		}
	}
}
