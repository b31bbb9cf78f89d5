package notify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary runs a desk over the store in killDir until it is killed; killPort is where its mail goes.
const (
	killDir  = "ENTENTE_NOTIFY_KILL_DIR"
	killPort = "ENTENTE_NOTIFY_KILL_PORT"
	killed   = 60 // objects
)

func killWorld(t testing.TB, dir string, port int) *world {
	w := newWorld(t, dir)
	w.cfg.DigestAfter = 1000
	w.use(SMTPConfig{Name: "relay", Host: "127.0.0.1", Port: port, TLS: tlsNone, From: "soc@utopia.example", Timeout: "2m"})
	return w
}

// TestDeskUntilKilled is what the process does that TestKill kills: it follows, and lets everything go that it drafts.
func TestDeskUntilKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("only in a process that is to be killed")
	}
	port, err := strconv.Atoi(os.Getenv(killPort))
	must(t, err)
	w := killWorld(t, dir, port)
	fmt.Println("running")
	ctx := context.Background()
	for {
		w.d.mu.Lock()
		w.now = time.Now().UTC()
		w.d.mu.Unlock()
		busy, err := w.d.advance(ctx)
		must(t, err)
		list, _, err := w.d.Notifications(ctx, otto, Filter{States: []string{"draft"}}, "", 5)
		must(t, err)
		for _, n := range list {
			must(t, errOf(w.d.Send(ctx, otto, n.ID, SendNotification{Edition: n.Edition})))
			fmt.Println("approved", n.ID)
		}
		w.deliver()
		if !busy && len(list) == 0 && len(w.d.due()) == 0 {
			fmt.Println("through")
			time.Sleep(time.Minute)
		}
	}
}

// TestKill kills a desk at chance moments. Whatever was approved arrives, every object has one alert and one notification, and what arrives twice
// has the same name.
func TestKill(t *testing.T) {
	m := newMailServer(t, t.TempDir(), "none")
	dir := t.TempDir()
	func() {
		w := newWorld(t, dir)
		w.serve(water())
		for i := range killed {
			w.give(local, "tlp:green", indicator(1+i, 0, address("203.0.113."+itoa(1+i)), ""))
		}
		w.x.Close()
		must(t, w.st.Close())
	}()
	approved := map[string]bool{}
	kills := 0
	for range 6 {
		cmd := osexec.Command(os.Args[0], "-test.run=^TestDeskUntilKilled$")
		cmd.Env = append(os.Environ(), killDir+"="+dir, killPort+"="+strconv.Itoa(m.port))
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		said := make(chan string)
		go func() {
			var all strings.Builder
			b := make([]byte, 4096)
			for {
				n, err := out.Read(b)
				all.Write(b[:n])
				if err != nil {
					said <- all.String()
					return
				}
			}
		}()
		time.Sleep(time.Duration(80+rand.IntN(250)) * time.Millisecond)
		must(t, cmd.Process.Kill())
		kills++
		for line := range strings.Lines(<-said) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "approved "); ok {
				approved[id] = true
			}
		}
		_ = cmd.Wait()
	}
	before := len(m.mails())
	w := killWorld(t, dir, m.port)
	w.now = time.Now().UTC().Add(time.Minute)
	w.catchUp()
	for _, n := range w.notes(otto, "draft") {
		must(t, errOf(w.d.Send(context.Background(), otto, n.ID, SendNotification{Edition: n.Edition})))
	}
	w.deliver()
	alerts, notes := w.alerts(ada), w.notes(ada)
	objects := map[string]int{}
	for _, a := range alerts {
		objects[a.Object]++
	}
	if len(alerts) != killed || len(objects) != killed || len(notes) != killed {
		t.Errorf("%d alerts of %d objects, %d notifications", len(alerts), len(objects), len(notes))
	}
	arrived := map[string]int{}
	for _, l := range m.mails() {
		msg, _ := readMail(t, l.body)
		arrived[strings.TrimPrefix(strings.TrimSuffix(msg.Header.Get("Message-ID"), "@utopia.example>"), "<")]++
	}
	for _, n := range notes {
		if n.State != Sent || arrived[n.ID] == 0 {
			t.Errorf("%s is %s and arrived %d times", n.ID, n.State, arrived[n.ID])
		}
	}
	for id := range approved {
		if arrived[id] == 0 {
			t.Errorf("%s was approved and did not arrive", id)
		}
	}
	if len(arrived) != killed {
		t.Errorf("%d different messages arrived", len(arrived))
	}
	t.Logf("%d kills; %d messages had arrived by then, %d were approved, %d arrived in all", kills, before, len(approved), len(m.mails()))
}
