// Package keylog is the append-only log of one nation's keys: who may sign what for the nation, since when and until when. The nation's root, k of n
// keys, signs every statement; a statement names the log before it by its Merkle tree hash (RFC 6962), so that nobody can change, drop or insert one,
// and whoever mirrors the log can prove that two different ones were shown (see Fork). What two people compare at a first contact is the
// fingerprint of the first statement, as 24 words or a QR code. The package is pure: no network, no disk, no clock.
package keylog

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

// PayloadType is what a statement's envelope says it is; the realm is added to it, so that no statement of one realm counts in another.
const PayloadType = "application/vnd.entente.keylog+json;v=1"

// Bounds of a log.
const (
	MaxStatements = 10_000
	MaxStatement  = 64 << 10 // bytes of a statement's envelope
	MaxRoots      = 7        // keys of a root: more would not fit into one statement with their signatures
)

// Kind says what a statement does.
type Kind string

// The kinds of statements, and who must sign them. "The root" is as many of its keys as it needs.
const (
	KindRoot       Kind = "root"       // the root and its threshold; the first by every key of it, later ones by the root before and the new one
	KindAdd        Kind = "add"        // a key of an organisation; by the root
	KindRotate     Kind = "rotate"     // a key in place of another; by the root and the key that is replaced
	KindRevoke     Kind = "revoke"     // a key counts no longer from a time on; by the root
	KindCompromise Kind = "compromise" // a key was in other hands since a time; by the root
	KindAddress    Kind = "address"    // where a node is reached; by the root
)

// Role is what a key may do.
type Role string

// The roles.
const (
	RoleAccord    Role = "accord"    // sign agreements and what follows from them
	RoleNode      Role = "node"      // be a node: its connections, checkpoints and receipts
	RoleOriginate Role = "originate" // sign what the nation says
	RoleRelease   Role = "release"   // release what an officer must release
	RoleVote      Role = "vote"      // vote in joint decisions
	RoleRelay     Role = "relay"     // carry what it cannot read
	RoleWitness   Role = "witness"   // cosign the heads of others' logs
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleAccord, RoleNode, RoleOriginate, RoleRelease, RoleVote, RoleRelay, RoleWitness}
}

// Statement is one entry of the log, as its payload says. Times are in UTC, to the microsecond.
type Statement struct {
	Kind   Kind      `json:"kind"`
	Nation string    `json:"nation"`
	Realm  string    `json:"realm"`
	Index  int64     `json:"index"`
	Prev   string    `json:"prev,omitempty"` // hash of the log before it, in hex; empty at the start
	Time   time.Time `json:"time"`           // never before that of the statement before

	Root    *Root     `json:"root,omitempty"`    // of KindRoot
	Entry   *Entry    `json:"entry,omitempty"`   // of KindAdd and KindRotate: the new key
	Key     string    `json:"key,omitempty"`     // the id of the key that it is about: of all kinds but KindRoot and KindAdd
	From    time.Time `json:"from,omitzero"`     // of KindRotate and KindRevoke: the key counts until then; of KindCompromise: since when
	Address string    `json:"address,omitempty"` // of KindAddress: host:port
	Reason  string    `json:"reason,omitempty"`  // of KindRevoke and KindCompromise
}

// Root is who speaks for the nation.
type Root struct {
	Need int         `json:"need"` // signatures that a statement needs
	Keys []*dsse.Key `json:"keys"` // hybrid ones
}

// Entry is one key and what it is for.
type Entry struct {
	Org      string    `json:"org"`
	Node     string    `json:"node,omitempty"`    // name of the node, of a key with RoleNode
	Holder   string    `json:"holder,omitempty"`  // of a person's key: a number for that person, which says nothing else of them (see NewHolder)
	Address  string    `json:"address,omitempty"` // host:port of the node
	Key      *dsse.Key `json:"key"`
	Roles    []Role    `json:"roles"`           // sorted
	Kinds    []string  `json:"kinds,omitempty"` // STIX types that it may originate, sorted; empty: all
	NotAfter time.Time `json:"notAfter,omitzero"`
	Proof    []byte    `json:"proof,omitempty"` // the key's own signature over the request for it (see Request)
}

// Error says why a statement, a log, a card or a fingerprint is refused, or why a key does not count. Code is stable.
type Error struct {
	Code    string // "statement.form", "statement.signature", "keylog.order", "keylog.full", "keylog.rewritten", "key.unknown", "key.role", "key.early", "key.expired", "key.revoked", "key.compromised", "key.person", "card.form", "words.form"
	Message string
}

func (e *Error) Error() string { return e.Message }

func refuse(code string, message ...string) error { return &Error{code, strings.Join(message, "")} }

// Encode is the one canonical form of a statement: its members in a fixed order, no white space.
func (s Statement) Encode() ([]byte, error) {
	b, err := json.Marshal(s, json.Deterministic(true))
	if err != nil {
		return nil, refuse("statement.form", "the statement cannot be written: ", err.Error())
	}
	return b, nil
}

// ParseStatement reads the canonical form, and nothing else, and checks what can be known without the log.
func ParseStatement(payload []byte) (Statement, error) {
	var s Statement
	if len(payload) > MaxStatement {
		return s, refuse("statement.form", "a statement has at most 65536 bytes")
	}
	if err := json.Unmarshal(payload, &s, json.RejectUnknownMembers(true)); err != nil {
		return s, refuse("statement.form", "this is not a statement of a key log: ", strings.TrimPrefix(err.Error(), "json: "))
	}
	if err := s.check(); err != nil {
		return s, err
	}
	if again, err := s.Encode(); err != nil || string(again) != string(payload) {
		return s, refuse("statement.form", "the statement is not in its canonical form")
	}
	return s, nil
}

var (
	nationForm  = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}$`)
	realmForm   = regexp.MustCompile(`^(operational|exercise:[A-Za-z0-9][A-Za-z0-9._-]{0,62})$`)
	addressForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]):[1-9][0-9]{0,4}$`)
	kindForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	idForm      = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// CheckAddress tells whether this is host:port, as a card or a statement may say where a node is.
func CheckAddress(address string) error {
	if !addressForm.MatchString(address) {
		return refuse("statement.form", strconv.Quote(clip(address)), " is not an address: it is a host or a bracketed IPv6 address, a colon and a port")
	}
	if port, _ := strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:]); port > 65535 {
		return refuse("statement.form", "a port is at most 65535")
	}
	return nil
}

func checkNames(nation, realm string) error {
	if !nationForm.MatchString(nation) {
		return refuse("statement.form", strconv.Quote(clip(nation)), " is not a nation's code")
	}
	if !realmForm.MatchString(realm) {
		return refuse("statement.form", strconv.Quote(clip(realm)), ` is not a realm: "operational" or "exercise:NAME"`)
	}
	return nil
}

func checkText(what, s string, most int) error {
	if s == "" || len(s) > most || !utf8.ValidString(s) || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return refuse("statement.form", what, " is 1 to ", strconv.Itoa(most), " bytes of printable text without spaces at its ends")
	}
	return nil
}

func checkTime(what string, t time.Time) error {
	if _, offset := t.Zone(); offset != 0 || t.Year() < 1970 || t.Year() > 9999 || !t.Truncate(time.Microsecond).Equal(t) {
		return refuse("statement.form", what, " is a time in UTC, to the microsecond at most, between 1970 and 9999")
	}
	return nil
}

// check holds one statement to what its kind says and needs.
func (s *Statement) check() error {
	if err := checkNames(s.Nation, s.Realm); err != nil {
		return err
	}
	if err := checkTime("the time of a statement", s.Time); err != nil {
		return err
	}
	if s.Index < 0 || s.Index >= MaxStatements || (s.Index == 0) != (s.Prev == "") || s.Index == 0 && s.Kind != KindRoot {
		return refuse("statement.form", "the first statement has index 0, names no log before it and is of kind root; every other one names it")
	}
	if s.Index > 0 && !idForm.MatchString(s.Prev) {
		return refuse("statement.form", "the hash of the log before is 64 digits in hex")
	}
	want, known := map[Kind]string{KindRoot: "R", KindAdd: "E", KindRotate: "EKF", KindRevoke: "KFW", KindCompromise: "KFW", KindAddress: "KA"}[s.Kind]
	if !known {
		return refuse("statement.form", strconv.Quote(clip(string(s.Kind))), " is not a kind of statement")
	}
	has := ""
	for _, m := range []struct {
		letter string
		is     bool
	}{{"R", s.Root != nil}, {"E", s.Entry != nil}, {"K", s.Key != ""}, {"F", !s.From.IsZero()}, {"A", s.Address != ""}, {"W", s.Reason != ""}} {
		if m.is {
			has += m.letter
		}
	}
	if has != want {
		return refuse("statement.form", "a statement of kind ", string(s.Kind), " has other members than these")
	}
	if s.Root != nil {
		if err := s.Root.check(); err != nil {
			return err
		}
	}
	if s.Entry != nil {
		if err := s.Entry.check(); err != nil {
			return err
		}
	}
	if s.Key != "" && !idForm.MatchString(s.Key) {
		return refuse("statement.form", "a key's id is 64 digits in hex")
	}
	if !s.From.IsZero() {
		if err := checkTime("from", s.From); err != nil {
			return err
		}
		if s.Kind == KindCompromise && s.From.After(s.Time) {
			return refuse("statement.form", "a key was compromised at or before the time of the statement that says so")
		}
		if s.Kind != KindCompromise && s.From.Before(s.Time) {
			return refuse("statement.form", "a key is revoked from the time of the statement on or later; for what was signed before, state a compromise")
		}
	}
	if s.Address != "" {
		if err := CheckAddress(s.Address); err != nil {
			return err
		}
	}
	if s.Reason != "" {
		return checkText("a reason", s.Reason, 1000)
	}
	return nil
}

func (r *Root) check() error {
	if len(r.Keys) == 0 || len(r.Keys) > MaxRoots || r.Need < 1 || r.Need > len(r.Keys) {
		return refuse("statement.form", "a root has 1 to 7 keys and needs at least one and at most all of them")
	}
	for i, k := range r.Keys {
		if k == nil || !k.Hybrid() {
			return refuse("statement.form", "the keys of a root are hybrid ones")
		}
		if r.find(k.ID()) != r.Keys[i] {
			return refuse("statement.form", "a key of a root stands there twice")
		}
	}
	return nil
}

func (r *Root) find(id string) *dsse.Key {
	for _, k := range r.Keys {
		if k.ID() == id {
			return k
		}
	}
	return nil
}

func (e *Entry) check() error {
	if err := checkText("the name of an organisation", e.Org, 128); err != nil {
		return err
	}
	if e.Key == nil {
		return refuse("statement.form", "an entry has a key")
	}
	if len(e.Roles) == 0 || !slices.IsSorted(e.Roles) || len(slices.Compact(slices.Clone(e.Roles))) != len(e.Roles) {
		return refuse("statement.form", "an entry has roles, sorted and each once")
	}
	for _, r := range e.Roles {
		if !slices.Contains(Roles(), r) {
			return refuse("statement.form", strconv.Quote(clip(string(r))), " is not a role")
		}
		if r != RoleOriginate && !e.Key.Hybrid() {
			return refuse("statement.form", "a key for ", string(r), " is a hybrid one")
		}
	}
	isNode := slices.Contains(e.Roles, RoleNode)
	if isNode != (e.Node != "") || !isNode && e.Address != "" {
		return refuse("statement.form", "a key with the role node, and no other, has the name of a node and may have its address")
	}
	if isNode {
		if err := checkText("the name of a node", e.Node, 128); err != nil {
			return err
		}
	}
	if e.Address != "" {
		if err := CheckAddress(e.Address); err != nil {
			return err
		}
	}
	if err := e.checkHolder(); err != nil {
		return err
	}
	if len(e.Kinds) > 100 || !slices.IsSorted(e.Kinds) || len(slices.Compact(slices.Clone(e.Kinds))) != len(e.Kinds) {
		return refuse("statement.form", "an entry has at most 100 kinds, sorted and each once")
	}
	for _, k := range e.Kinds {
		if !kindForm.MatchString(k) {
			return refuse("statement.form", strconv.Quote(clip(k)), " is not the name of a type")
		}
	}
	if !e.NotAfter.IsZero() {
		return checkTime("notAfter", e.NotAfter)
	}
	return nil
}

func hexHash(h tlog.Hash) string { return hex.EncodeToString(h[:]) }

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
