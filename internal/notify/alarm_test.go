package notify

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

// pigeon is a channel that keeps what it was given, or fails.
type pigeon struct {
	kind Route
	mu   sync.Mutex
	got  []Message
	fail error
}

func (p *pigeon) Name() string                     { return "duty" }
func (p *pigeon) Kind() Route                      { return p.kind }
func (p *pigeon) Reaches(address string) bool      { return true }
func (p *pigeon) Compose(*Message) (Parcel, error) { return Parcel{}, nil }
func (p *pigeon) Check(context.Context) error      { return nil }
func (p *pigeon) Send(_ context.Context, m *Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		p.got = append(p.got, *m)
	}
	return p.fail
}

const officer = "duty@utopia.example"

// alarmWorld has one address that is told of alarms.
func alarmWorld(t *testing.T) (*world, *pigeon) {
	w := newWorld(t, "")
	p := &pigeon{kind: Email}
	w.channels = []Channel{p}
	w.cfg.SMTP = []SMTPConfig{{Name: "duty", Host: "localhost", TLS: tlsNone, From: "soc@utopia.example"}}
	w.cfg.Alarms = []string{officer}
	w.open()
	return w, p
}

// stand tells the desk which alarms there are, and gives it time to tell of them.
func (w *world) stand(after time.Duration, now ...Alarm) error {
	w.t.Helper()
	w.now = w.now.Add(after)
	must(w.t, w.d.Alarmed(context.Background(), now))
	return w.d.tellAlarm(context.Background(), officer)
}

func TestAnAlarmIsToldOnce(t *testing.T) {
	w, p := alarmWorld(t)
	stale, conflict := Alarm{Nation: "RUR", Kind: "stale", Since: w.now}, Alarm{Nation: "FRE", Kind: "conflict", Ref: "0badcafe"}
	count := func(n int, why string) {
		t.Helper()
		if len(p.got) != n {
			t.Fatalf("%d messages, not %d: %s", len(p.got), n, why)
		}
	}
	must(t, w.stand(0, stale))
	count(0, "what comes and goes within a minute is not told")
	must(t, w.stand(30*time.Second))
	must(t, w.stand(10*time.Minute))
	count(0, "it is over")
	must(t, w.stand(2*time.Hour, stale, conflict))
	must(t, w.stand(time.Minute, stale, conflict))
	count(1, "both are told together")
	for range 20 {
		must(t, w.stand(10*time.Second, stale, conflict))
	}
	count(1, "each once")
	w.open()
	must(t, w.stand(time.Minute, stale, conflict))
	count(1, "a restart tells nothing again")
	must(t, w.stand(time.Minute, conflict))
	must(t, w.stand(time.Minute, conflict, stale))
	must(t, w.stand(5*time.Minute, conflict, stale))
	count(1, "what begins again within the hour is the same")
	must(t, w.stand(time.Minute, conflict))
	must(t, w.stand(2*time.Hour, conflict))
	must(t, w.stand(time.Minute, conflict, stale))
	must(t, w.stand(5*time.Minute, conflict, stale))
	count(2, "what begins again later is new")
	second := conflict
	second.Ref = "another"
	must(t, w.stand(0, conflict, stale, second))
	must(t, w.stand(time.Minute, conflict, stale, second))
	count(3, "a second proof is an alarm of its own")

	m := p.got[0]
	has(t, m.Text, "RUR  stale  ", "FRE  conflict  ", "TLP:AMBER+STRICT", m.ID)
	has(t, m.Subject, "2 new alarms")
	if strings.Contains(m.Text, conflict.Ref) || m.To != officer || m.Content {
		t.Errorf("%+v", m)
	}
	if strings.Contains(p.got[1].Text, "conflict") {
		t.Errorf("told again:\n%s", p.got[1].Text)
	}
	// That it was told is written down.
	acts, _, err := w.x.Acts(context.Background(), auditor, store.ActQuery{Limit: 100})
	must(t, err)
	told := 0
	for _, e := range acts {
		if e.Act.Verb == "alarm.told" {
			told++
		}
	}
	if told != 3 {
		t.Errorf("%d acts say that alarms were told", told)
	}
}

func TestAlarmsAreTriedAgain(t *testing.T) {
	w, p := alarmWorld(t)
	a := Alarm{Nation: "RUR", Kind: "overdue"}
	p.fail = fault.New(fault.Unavailable, "notify.smtp", "the mail server is away")
	must(t, w.stand(0, a))
	if err := w.stand(time.Minute, a); !errors.Is(err, p.fail) {
		t.Fatal(err)
	}
	must(t, w.stand(30*time.Second, a)) // not yet
	if err := w.stand(time.Minute, a); !errors.Is(err, p.fail) {
		t.Fatal(err)
	}
	p.fail = nil
	must(t, w.stand(time.Minute, a))
	if len(p.got) != 0 {
		t.Fatal("each time it waits longer")
	}
	must(t, w.stand(time.Minute, a))
	must(t, w.stand(time.Hour, a))
	if len(p.got) != 1 {
		t.Fatalf("%d messages", len(p.got))
	}
	// What is refused for good is not said again.
	p.fail = fault.New(fault.Unprocessable, "notify.smtp", "no such mailbox")
	b := Alarm{Nation: "FRE", Kind: "proof"}
	must(t, w.stand(0, a, b))
	if err := w.stand(time.Minute, a, b); !errors.Is(err, p.fail) {
		t.Fatal(err)
	}
	must(t, w.stand(5*time.Hour, a, b))
}

func TestAlarmsAreBounded(t *testing.T) {
	w, p := alarmWorld(t)
	var all []Alarm
	for i := range maxAlarms + 100 {
		all = append(all, Alarm{Nation: "RUR", Kind: "proof", Ref: strconv.Itoa(i)})
	}
	must(t, w.stand(0, all...))
	must(t, w.stand(time.Minute, all...))
	if len(p.got) != 1 || strings.Count(p.got[0].Text, "RUR  proof") != alarmLines || len(w.d.alarm.known) != maxAlarms {
		t.Fatalf("%d messages, %d known", len(p.got), len(w.d.alarm.known))
	}
}

func TestAddressesOfAlarms(t *testing.T) {
	c := DefaultConfig()
	c.SMTP = []SMTPConfig{{Name: "relay", Host: "localhost", TLS: tlsNone, From: "soc@utopia.example"}}
	c.Webhooks = []WebhookConfig{{Name: "duty", URL: "https://duty.example/", SecretFile: "s"}}
	for _, to := range [][]string{nil, {officer}, {"duty", officer}} {
		c.Alarms = to
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", to, err)
		}
	}
	for _, to := range [][]string{{"pager"}, {officer, officer}, {"x@y.example\r\nBcc: z@y.example"}, slices.Repeat([]string{officer}, 9)} {
		c.Alarms = to
		if err := c.Validate(); err == nil {
			t.Errorf("%q is taken", to)
		}
	}
	c.SMTP, c.Alarms = nil, []string{officer}
	if err := c.Validate(); err == nil {
		t.Error("an address that no channel reaches is taken")
	}
}
