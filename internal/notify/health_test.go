package notify

import (
	"context"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// TestChannelsAreAsTheirNotifications follows a channel from waiting over a fault to success, and over a restart.
func TestChannelsAreAsTheirNotifications(t *testing.T) {
	w := newWorld(t, "")
	m := newMailServer(t, w.dir, "starttls")
	w.mailBy(m, tlsStart)
	if c := w.channel(); c.State != "new" || c.Waiting != 0 || !c.Last.IsZero() {
		t.Errorf("%+v", c)
	}
	w.serve(water())
	w.give(ally, "tlp:green", indicator(1, 0, address("203.0.113.9"), ""))
	w.catchUp()
	n := w.one(Draft)
	must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
	if c := w.channel(); c.State != "new" || c.Waiting != 1 {
		t.Errorf("%+v", c)
	}
	m.refuse("mail", &smtp.SMTPError{Code: 451, Message: "later"})
	w.deliver()
	c := w.channel()
	has(t, c.Error, "451")
	if c.State != "failing" || c.Waiting != 1 || c.Failed.IsZero() || c.Last != c.Failed || !c.Succeeded.IsZero() {
		t.Errorf("%+v", c)
	}
	m.refuse("mail", nil)
	w.now = w.now.Add(time.Hour)
	w.deliver()
	w.open()
	c = w.channel()
	has(t, c.Error, "451")
	if c.State != "ok" || c.Waiting != 0 || !c.Succeeded.After(c.Failed) || c.Last != c.Succeeded {
		t.Errorf("%+v", c)
	}

	// Who may not see the notification does not learn of it by its channel.
	list, err := w.d.Channels(context.Background(), ally, false)
	must(t, err)
	if list[0].State != "new" {
		t.Errorf("another organisation sees %+v", list[0])
	}
	w.relabel(w.alerts(ada)[0].Object, "tlp:red")
	w.catchUp()
	if c := w.channel(); c.State != "new" || !c.Succeeded.IsZero() || !c.Failed.IsZero() || c.Error != "" {
		t.Errorf("after the object is for nobody: %+v", c)
	}
}
