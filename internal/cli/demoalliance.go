package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"entente/internal/alliance"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/surface/api"
	"entente/label"
)

// inventedDay is what is played.
var inventedDay = alliance.Invented

// guest is the account that every console of the alliance has. It may do what people do who are neither administrators nor officers of handling.
var guest = api.AddUser{Name: "guest", Roles: []string{gate.RoleAnalyst, gate.RoleSignatory, gate.RoleReleaser}}

// demoState is kept beside the data directories of an alliance.
type demoState struct {
	Password string `json:"password"` // of the guest, at every console
	Played   bool   `json:"played"`   // to its end
}

const (
	demoStateFile   = "alliance.json"
	demoMemory      = 768 << 20 // bytes, beyond which memory is freed more eagerly
	demoEndPatience = 10 * time.Second
)

// demoAlliance runs the alliance, and plays the day where it was not played yet.
func (a *app) demoAlliance(ctx context.Context, dir, listen, realm string, headless bool) (err error) {
	if realm != "" {
		if _, err := label.ParseMode(realm); err != nil {
			return usage("%v", err)
		}
		a.noticeRealm(realm)
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "entente-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if !headless {
			a.say("The nodes stand in %s, which is removed at the end. To keep them: entente demo --data DIR", dir)
		}
	}
	state, isNew, err := openDemo(dir)
	if err != nil {
		return err
	}
	if headless && !isNew {
		return fault.New(fault.Conflict, "demo.played", "a day has begun in %s already", dir).Try("give another directory, or none")
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(demoMemory)
	}
	switch {
	case listen == "" && headless:
		listen = "127.0.0.1:0"
	case listen == "":
		listen = "127.0.0.1:8443"
	}
	level := "warn"
	if headless {
		level = "error"
	}
	log, err := a.logger("text", level)
	if err != nil {
		return err
	}
	first := alliance.Members[0].Code
	nations, err := alliance.Start(ctx, alliance.Config{Dir: dir, Listen: listen, Realm: realm, Log: log,
		Lay: func(m alliance.Member, data string) error {
			if headless || m.Code != first {
				return nil
			}
			return layDemo(data, realm)
		},
		Ready: func(ctx context.Context, n *alliance.Nation) error {
			if n.New {
				u := guest
				u.Password = state.Password
				if _, err := n.API.AddUser(ctx, u); err != nil && fault.Of(err) != fault.Conflict {
					return err
				}
			}
			return a.stockOnce(ctx, n.Data, n.API)
		}}, alliance.Members...)
	if err != nil {
		return stopped(ctx, inUse(err))
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoEndPatience)
		defer cancel()
		if stopped := nations.Stop(end); !errors.Is(stopped, context.DeadlineExceeded) {
			err = errors.Join(err, stopped)
		}
	}()
	if err := nations.Meet(ctx); err != nil {
		return stopped(ctx, err)
	}
	if err := a.introduce(ctx, nations, state, headless); err != nil {
		return stopped(ctx, err)
	}
	if isNew {
		if err := nations.Play(ctx, inventedDay(), a.tellEvent); err != nil {
			return stopped(ctx, err)
		}
		state.Played = true
		if err := state.save(dir); err != nil || headless {
			return err
		}
		fmt.Fprintf(a.out, "\nThat was the day. The consoles stay open until you press Ctrl-C.\n")
	} else {
		fmt.Fprintf(a.out, "%s\n", map[bool]string{true: "The day was played here before, and everything is as it was left. To play it again, give another directory.",
			false: "The day was cut short when it was played here, and does not go on. To play it again, give another directory."}[state.Played])
	}
	<-ctx.Done()
	return nil
}

// stopped takes being told to stop for no failure.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// openDemo reads what is kept of a demonstration, and begins one where there is none.
func openDemo(dir string) (s demoState, isNew bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, demoStateFile))
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return s, false, err
		}
		s.Password = strings.ToLower(rand.Text()[:20])
		return s, true, s.save(dir)
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, false, err
}

func (s demoState) save(dir string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, demoStateFile), append(b, '\n'), 0o600)
}

// introduce says where the consoles are, and how to sign in.
func (a *app) introduce(ctx context.Context, nations *alliance.Alliance, s demoState, headless bool) error {
	for _, n := range nations.Nations {
		if a.asJSON {
			if err := a.line(alliance.Event{Kind: "nation", Name: n.Code, Org: n.Org, URL: n.URL()}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.out, "%s  %-16s %-30s (%s)\n", n.Code, n.Org, n.Named(), n.URL())
	}
	if headless || a.asJSON {
		return nil
	}
	fmt.Fprintf(a.out, "\nSign in to each as %s with the password %s . The names under .localhost keep the sessions of the four apart in one browser.\n", guest.Name, s.Password)
	a.say("A browser does not know the nodes' authorities: accept their certificates.")
	first := nations.Nations[0]
	link, err := first.SetupLink(context.WithoutCancel(ctx))
	switch {
	case err == nil:
		fmt.Fprintf(a.out, "To administer %s, choose the first administrator's password within the hour: %s\n", first.Org, strings.Replace(link, first.URL(), first.Named(), 1))
	case fault.Of(err) != fault.Conflict && fault.Of(err) != fault.Forbidden && fault.Of(err) != fault.NotFound:
		return err
	}
	return nil
}

// tellEvent prints what happens: all of it as JSON, or for people what is new.
func (a *app) tellEvent(e alliance.Event) {
	if a.asJSON {
		if e.Kind != "note" {
			_ = a.line(e) // a reader that went away is noticed at the end
		}
		return
	}
	switch e.Kind {
	case "act":
		fmt.Fprintf(a.out, "\n%2d. %s\n", e.Act, e.Title)
	case "note":
		fmt.Fprintf(a.out, "    %s\n", e.Text)
	case "object":
		fmt.Fprintf(a.out, "      %s  made %s: %s, for accord %s, %s\n", e.Originator, e.What, e.TLP, e.Accord, e.ID)
	case "sees":
		if e.New {
			fmt.Fprintf(a.out, "      %s  %s %s: %s\n", e.Nation, map[bool]string{true: "sees", false: "does not see"}[*e.Present], e.What, e.Why)
		}
	case "purged":
		fmt.Fprintf(a.out, "      %s  destroyed %s, and signed a receipt of %d characters\n", e.Nation, e.What, len(e.Receipt))
	case "failed":
		fmt.Fprintf(a.out, "      NOT AS IT SHOULD BE: %s\n", e.Text)
	}
}
