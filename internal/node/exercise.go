package node

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"entente/accord"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/keyring"
	"entente/keylog"
	"entente/label"
)

// realmFile says in each folder of an exercise's data which realm it is of. What belongs to operations has none.
const realmFile = "realm"

// claim refuses a folder of data that belongs to another realm. A folder that is empty or not there becomes the realm's own.
func claim(dir, realm string) error {
	whose := string(label.OperationalMode)
	b, err := os.ReadFile(filepath.Join(dir, realmFile))
	switch {
	case err == nil:
		whose = strings.TrimSpace(string(b))
	case !errors.Is(err, os.ErrNotExist):
		return fault.New(fault.Internal, "data.realm", "cannot read which realm %s belongs to", dir).Because(err)
	}
	if whose == realm {
		return nil
	}
	there, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault.New(fault.Internal, "data.realm", "cannot read %s", dir).Because(err)
	}
	if len(there) > 0 {
		return fault.New(fault.Conflict, "data.realm", "%s belongs to the realm %q, and this node is of %q", dir, whose, realm).
			By("nothing of one realm is opened in another").Try("give the data directory of the realm, or make a new one: entente init")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.Internal, "data.realm", "cannot make %s", dir).Because(err)
	}
	return mark(dir, realm)
}

func mark(dir, realm string) error {
	return os.WriteFile(filepath.Join(dir, realmFile), []byte(realm+"\n"), 0o600)
}

// claimRestored marks the folders of what was restored as the realm's, and holds the configuration to it.
func claimRestored(data, realm string) error {
	cfg, err := LoadConfig(data)
	if err != nil {
		return err
	}
	if cfg.Realm != realm {
		return fault.New(fault.Conflict, "backup.realm", "the configuration in the backup names the realm %q, its keys %q", cfg.Realm, realm)
	}
	if realm == keyring.Operational {
		return nil
	}
	for _, folder := range []string{storeFolder, ledgerFolder, blobFolder} {
		if err := mark(filepath.Join(data, folder), realm); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// maxAuthorities bounds the files of an exercise.
const maxAuthorities = 256

func (e *Exercise) validate(realm string, bad func(at, format string, args ...any) *fault.Error) error {
	if _, ok := label.Mode(realm).Exercise(); !ok && len(e.Accords)+len(e.Cards) > 0 {
		return bad("exercise", "the realm is %q, which needs nothing to authorise it", realm).Try("make the node of an exercise in a data directory of its own: entente init --realm exercise:NAME")
	}
	if len(e.Accords) > maxAuthorities || len(e.Cards) > maxAuthorities {
		return bad("exercise", "there are more than %d accords or cards", maxAuthorities)
	}
	return nil
}

// authorities reads the accords of operations that authorise the exercise of this realm, and gives what judges the accords of the exercise by them; nil for a
// node of operations. They are verified by the key logs of operations that the configuration names, and are kept nowhere: no accord of this realm, no key and
// no partner comes of them.
func (c *Config) authorities(names keyring.Names) (func(*accord.Accord) error, error) {
	exercise, ok := label.Mode(names.Realm).Exercise()
	if !ok {
		return nil, nil
	}
	cards := map[string]keylog.Card{}
	for _, file := range c.Exercise.Cards {
		b, err := c.authority(file)
		if err != nil {
			return nil, err
		}
		card, err := keylog.ParseCard(b)
		if err != nil {
			return nil, fault.New(fault.Invalid, "exercise.card", "%s is no card that holds: %v", file, err).At("exercise.cards")
		}
		if r := card.Log.Realm(); r != string(label.OperationalMode) {
			return nil, fault.New(fault.Invalid, "exercise.card", "%s is of the realm %s: an exercise is authorised by keys of operations alone", file, r).At("exercise.cards")
		}
		nation := card.Log.Nation()
		if _, ok := cards[nation]; ok {
			return nil, fault.New(fault.Invalid, "exercise.card", "%s is a second card of %s", file, nation).At("exercise.cards")
		}
		cards[nation] = card
		c.Log.Info("an exercise may be authorised by the key log of a nation", "nation", nation, "fingerprint", card.Log.Fingerprint().Words())
	}
	var by []*accord.Accord
	for _, file := range c.Exercise.Accords {
		b, err := c.authority(file)
		if err != nil {
			return nil, err
		}
		a, err := authority(b, cards)
		if err != nil {
			return nil, fault.New(fault.Invalid, "exercise.accord", "%s authorises nothing: %v", file, err).At("exercise.accords")
		}
		by = append(by, a)
	}
	return func(of *accord.Accord) error {
		var err error = &accord.Unauthorised{Code: "exercise.derive", Message: "accord " + of.Name + " of exercise " + exercise + " derives from no accord of operations that this node was shown"}
		for _, a := range by {
			if !slices.ContainsFunc(of.Derives, func(d accord.Derive) bool { return d.Accord == a.Name }) {
				continue
			}
			if err = a.Authorise(of); err == nil {
				return nil
			}
		}
		return err
	}, nil
}

func (c *Config) authority(file string) ([]byte, error) {
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Data, path)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > dsse.MaxEnvelope {
		return nil, fault.New(fault.Invalid, "exercise.file", "%s is too long for an accord or a card", path).At("exercise")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "exercise.file", "cannot read %s", path).At("exercise").Because(err)
	}
	return b, nil
}

// authority is the accord of a file that every party has signed, in operations, with keys of their cards.
func authority(file []byte, cards map[string]keylog.Card) (*accord.Accord, error) {
	b, err := accord.ParseBundle(file)
	if err != nil {
		return nil, err
	}
	if b.Realm != string(label.OperationalMode) {
		return nil, fault.New(fault.Invalid, "exercise.accord", "it is signed in the realm %s, and not in operations", b.Realm)
	}
	standing, err := b.Signed(func(nation, org string) []*dsse.Key {
		card, ok := cards[nation]
		if !ok {
			return nil
		}
		if org == "" {
			org = card.Org
		}
		return accordKeysOf(card.Log.State(), org)
	})
	if err != nil {
		return nil, err
	}
	for _, s := range standing {
		if !s.Bound() {
			return nil, fault.New(fault.Invalid, "exercise.accord", "%s has not signed it with a key of a card that is here", s.Nation)
		}
	}
	return b.Accord()
}
