package alliance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/internal/keyring"
	"entente/internal/node"
	"entente/keylog"
	"entente/label"
)

// framework is the accord of operations under which the nations play their day as an exercise.
const framework = "four-harbours-exercises"

// The days of an exercise, from yesterday on. Its accords end before it does, so that a day that is played at midnight is within it.
const (
	exerciseDays  = 30
	accordDays    = 14
	exercisePurge = "7d"
)

// authority is what shows a node of an exercise that its nations, in operations, have authorised it.
type authority struct {
	accord []byte            // signed by every party
	cards  map[string][]byte // by nation: how its signature is verified
}

// authority has the nations sign, with keys of operations, that there is such an exercise; nil in operations, where none is needed. The keys serve for nothing
// else and are gone afterwards: no node of operations comes of them.
func (a *Alliance) authority(members []Member) (_ *authority, err error) {
	name, ok := label.Mode(a.realm).Exercise()
	if !ok {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "entente-operations-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	now := time.Now()
	c := clauses{name: framework, title: "Exercises of the four harbours", version: 1, gives: fmt.Sprintf(`
  give "warnings" {
    kind    = [campaign]
    ceiling = GREEN
  }
  exercise %q {
    window = [%q, %q]
    purge  = %q
  }`, name, day(now, -1), day(now, exerciseDays), exercisePurge)}
	for _, m := range members {
		c.parties = append(c.parties, m.Code)
	}
	text, err := accord.Format(c.text(now, label.OperationalMode))
	if err != nil {
		return nil, err
	}
	b, err := accord.NewBundle(text, string(label.OperationalMode))
	if err != nil {
		return nil, err
	}
	out := &authority{cards: map[string][]byte{}}
	for _, m := range members {
		ring, err := keyring.Create(filepath.Join(dir, m.host()), keyring.Names{Nation: m.Code, Org: m.Org, Realm: string(label.OperationalMode)}, time.Now)
		if err != nil {
			return nil, err
		}
		var k dsse.Signer
		if k, err = ring.Signer(keylog.RoleAccord); err == nil {
			err = b.Sign(k)
		}
		if err != nil {
			return nil, err
		}
		if out.cards[m.host()], err = ring.Card(m.host() + ":7443"); err != nil {
			return nil, err
		}
	}
	out.accord = b.Bytes()
	return out, nil
}

// lay puts the authority into a data directory, and names it, with the realm, in the configuration.
func (a *authority) lay(data, realm string) error {
	if a == nil {
		return nil
	}
	if err := os.WriteFile(filepath.Join(data, framework+".json"), a.accord, 0o600); err != nil {
		return err
	}
	var cards []string
	for host, card := range a.cards {
		file := strings.TrimSuffix(host, ".localhost") + ".card"
		cards = append(cards, fmt.Sprintf("%q", file))
		if err := os.WriteFile(filepath.Join(data, file), card, 0o600); err != nil {
			return err
		}
	}
	conf := filepath.Join(data, node.ConfigFile)
	b, err := os.ReadFile(conf)
	if os.IsNotExist(err) {
		b, err = fmt.Appendf(nil, "realm = %q\n", realm), nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(conf, fmt.Appendf(b, "\n[exercise]\naccords = [%q]\ncards   = [%s]\n", framework+".json", strings.Join(cards, ", ")), 0o600)
}

func day(t time.Time, after int) string { return t.UTC().AddDate(0, 0, after).Format(time.DateOnly) }
