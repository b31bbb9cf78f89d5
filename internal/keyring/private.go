package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha512"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/crypto/argon2"

	"entente/dsse"
	"entente/internal/disk"
	"entente/internal/fault"
	"entente/keylog"
)

// RoleRoot is the role of a holder's key of a root, in its file.
const RoleRoot keylog.Role = "root"

// Private is a private key in a file of its own, for who signs without a node: a ministry's for accords, a holder's of a root, a person's for releases and votes.
type Private struct {
	Nation, Realm string
	Org           string        // empty of a root's
	Holder        string        // of a person's: see keylog.Entry
	Roles         []keylog.Role // sorted
	Key           *dsse.Private
}

type privateFile struct {
	head
	Nation string        `json:"nation"`
	Org    string        `json:"org,omitempty"`
	Holder string        `json:"holder,omitempty"`
	Roles  []keylog.Role `json:"roles"`
	Secret []byte        `json:"secret,omitempty"`
	Sealed *sealedSecret `json:"sealed,omitempty"`
}

// sealedSecret is a secret under a passphrase: AES-256-GCM with a random nonce, which stands first, under a key of the named derivation.
type sealedSecret struct {
	Derivation string `json:"derivation"` // "argon2id" (RFC 9106), or "pbkdf2-sha512" where FIPS 140 is asked for
	Passes     uint32 `json:"passes"`
	Memory     uint32 `json:"memory,omitempty"` // KiB
	Salt       []byte `json:"salt"`
	Box        []byte `json:"box"`
}

// The costs of a passphrase are well above those of a password at a node: the file may be guessed at for years.
const (
	argonPasses  = 4
	argonMemory  = 64 << 10
	pbkdf2Passes = 1_000_000
	minPhrase    = 12
)

// WritePrivate writes the key to a new file that its owner alone may read, under the passphrase unless it is empty.
func WritePrivate(path string, p Private, passphrase string, now time.Time) error {
	f := privateFile{head: head{Format: format, Purpose: "private", Realm: p.Realm, Created: now.UTC()}, Nation: p.Nation, Org: p.Org, Holder: p.Holder, Roles: p.Roles}
	switch {
	case passphrase == "":
		f.Secret = p.Key.Seed()
	case len(passphrase) < minPhrase:
		return fault.New(fault.Invalid, "key.passphrase", "the passphrase is too short").By("at least 12 characters")
	default:
		s := &sealedSecret{Derivation: "argon2id", Passes: argonPasses, Memory: argonMemory, Salt: random(16)}
		if fips140.Enabled() {
			s.Derivation, s.Passes, s.Memory = "pbkdf2-sha512", pbkdf2Passes, 0
		}
		box, err := s.aead(passphrase)
		if err != nil {
			return err
		}
		s.Box, f.Sealed = box.Seal(nil, nil, p.Key.Seed(), f.bound()), s
	}
	b, err := json.Marshal(f, jsontext.WithIndent("  "))
	if err != nil {
		return fault.New(fault.Internal, "", "cannot write the key file %s", path).Because(err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Conflict, "keyring.exists", "%s is there already", path).Try("name a new file: no key is ever overwritten")
	}
	if err != nil {
		return broken(err, "write", path)
	}
	_, err = out.Write(append(b, '\n'))
	if err == nil {
		err = out.Sync()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = disk.Sync(filepath.Dir(path))
	}
	if err != nil {
		return broken(err, "write", path)
	}
	return nil
}

// ReadPrivate reads what WritePrivate wrote, or a root that a node exported, which names no nation. The passphrase is asked for when the file needs one.
func ReadPrivate(path string, passphrase func() (string, error)) (Private, error) {
	b, err := readPrivate(path)
	if err != nil {
		return Private{}, err
	}
	var f privateFile
	if json.Unmarshal(b, &f) != nil || f.Format != format || f.Purpose != "private" && f.Purpose != "root" || (f.Sealed == nil) == (len(f.Secret) == 0) {
		return Private{}, fault.New(fault.Invalid, "keyring.damaged", "%s is not a private key that was written by this program", path)
	}
	p := Private{Nation: f.Nation, Realm: f.Realm, Org: f.Org, Holder: f.Holder, Roles: f.Roles}
	if f.Purpose == "root" {
		p.Roles = []keylog.Role{RoleRoot}
	}
	secret := f.Secret
	if f.Sealed != nil {
		given, err := passphrase()
		if err != nil {
			return Private{}, err
		}
		if secret, err = f.Sealed.open(given, f.bound()); err != nil {
			return Private{}, err
		}
	}
	if p.Key, err = dsse.FromSeed(secret); err != nil {
		return Private{}, damaged(path, nil)
	}
	return p, nil
}

// bound is what a sealed secret cannot be taken out of.
func (f privateFile) bound() []byte {
	var roles []string
	for _, r := range f.Roles {
		roles = append(roles, string(r))
	}
	if f.Holder != "" {
		roles = append(roles, "holder:"+f.Holder)
	}
	return []byte(strings.Join(append([]string{"entente/private/1", f.Realm, f.Nation, f.Org}, roles...), "\x00"))
}

func (s *sealedSecret) open(passphrase string, bound []byte) ([]byte, error) {
	box, err := s.aead(passphrase)
	if err != nil {
		return nil, err
	}
	secret, err := box.Open(nil, nil, s.Box, bound)
	if err != nil {
		return nil, fault.New(fault.Forbidden, "key.passphrase", "the passphrase is another, or the file was changed")
	}
	return secret, nil
}

func (s *sealedSecret) aead(passphrase string) (cipher.AEAD, error) {
	var key []byte
	var err error
	switch bounded := len(s.Salt) >= 16 && len(s.Salt) <= 64 && s.Passes > 0; {
	case bounded && s.Derivation == "argon2id" && s.Passes <= 16 && s.Memory >= 8 && s.Memory <= 1<<20:
		if fips140.Enforced() {
			return nil, fault.New(fault.Unsupported, "key.passphrase", "this process computes FIPS 140 algorithms only, and the file is sealed with Argon2id").
				Try("make the key where GODEBUG=fips140=on is set: it is sealed with PBKDF2 then")
		}
		key = argon2.IDKey([]byte(passphrase), s.Salt, s.Passes, s.Memory, 1, 32)
	case bounded && s.Derivation == "pbkdf2-sha512" && s.Passes <= 10_000_000:
		if key, err = pbkdf2.Key(sha512.New, passphrase, s.Salt, int(s.Passes), 32); err != nil {
			return nil, fault.New(fault.Invalid, "key.passphrase", "the passphrase cannot be used").Because(err)
		}
	default:
		return nil, fault.New(fault.Invalid, "keyring.damaged", "the file is sealed in a way that this program does not know")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot seal").Because(err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot seal").Because(err)
	}
	return box, nil
}

// NewPrivate makes a key for an organisation without a node, and its request to the nation.
func NewPrivate(nation, realm, org string, now time.Time, roles ...keylog.Role) (Private, keylog.Request, error) {
	return newPrivate(Private{Nation: nation, Realm: realm, Org: org, Roles: roles}, now)
}

func newPrivate(p Private, now time.Time) (Private, keylog.Request, error) {
	p.Roles = slices.Clone(p.Roles)
	slices.Sort(p.Roles)
	p.Roles = slices.Compact(p.Roles)
	if slices.Contains(p.Roles, keylog.RoleNode) {
		return Private{}, keylog.Request{}, fault.New(fault.Invalid, "key.role", "a node makes its key by itself").Try("entente init --member, then entente key request")
	}
	key, err := dsse.Generate(!slices.Equal(p.Roles, []keylog.Role{keylog.RoleOriginate}))
	if err != nil {
		return Private{}, keylog.Request{}, fault.New(fault.Internal, "", "cannot make a key").Because(err)
	}
	if err := checkName("org", p.Org); err != nil {
		return Private{}, keylog.Request{}, err
	}
	p.Key = key
	q, err := keylog.Request{Nation: p.Nation, Realm: p.Realm, Entry: keylog.Entry{Org: p.Org, Holder: p.Holder, Roles: p.Roles, NotAfter: micro(now.Add(keyLife))}}.Sign(key)
	return p, q, refusal(err)
}
