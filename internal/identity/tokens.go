package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Token is an API token without its secret.
type Token struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Org      string    `json:"org"`
	User     string    `json:"user,omitempty"` // the account it acts for; empty: it acts as itself, for its organisation
	Form     string    `json:"form,omitempty"` // "misp": its text is one that MISP takes for a key; empty: the usual
	Roles    []string  `json:"roles"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastUsed time.Time `json:"last_used,omitzero"` // to the day
	Revoked  time.Time `json:"revoked,omitzero"`
}

type storedToken struct {
	Token
	Hash []byte `json:"hash"` // HMAC-SHA-256 of id and secret under the pepper
}

// doc is the token to be stored. An expired token is listed for a while and then goes by itself.
func (t storedToken) doc(version int64) (store.Doc, error) {
	doc, err := write(kindToken, t.ID, t, version)
	doc.Expires = t.Expires.Add(keepExpired)
	return doc, err
}

// TokenSpec asks for a token.
type TokenSpec struct {
	Name  string
	Org   string // empty: the account's, or the node's own
	User  string // an account to act for, never with more than its roles
	Roles []string
	Life  time.Duration // 0: one year; at most five
	Form  string        // "": the usual; FormMISP: one that MISP takes for a key
}

// FormMISP is the form of a token that a MISP instance or PyMISP can send: 40 letters and digits, as MISP demands of a key.
const FormMISP = "misp"

const (
	tokenLife    = 365 * 24 * time.Hour
	maxTokenLife = 5 * tokenLife
	tokenPrefix  = "entente"
	idLength     = 16 // base62: 95 bits
	secretLength = 43 // base62: 256 bits
	mispSecret   = 24 // base62: 142 bits, what the 40 characters of a MISP key leave beside the id
	usedEvery    = 24 * time.Hour
	keepExpired  = 90 * 24 * time.Hour // expired tokens and certificates
)

// IssueToken makes a token and returns its text, which is never shown again.
func (d *Directory) IssueToken(ctx context.Context, actor string, q TokenSpec) (string, Token, error) {
	name, err := AccountName(q.Name)
	if err != nil {
		return "", Token{}, err
	}
	roles, err := d.roles(q.Roles)
	if err != nil {
		return "", Token{}, err
	}
	if q.Life == 0 {
		q.Life = tokenLife
	}
	if q.Life < time.Minute || q.Life > maxTokenLife {
		return "", Token{}, fault.New(fault.Invalid, "token.life", "a token cannot be valid for %s", q.Life).At("life").By("one minute to five years")
	}
	length := secretLength
	switch q.Form {
	case "":
	case FormMISP:
		length = mispSecret
	default:
		return "", Token{}, fault.New(fault.Invalid, "token.form", "there is no form %q of a token", q.Form).At("form").Try("leave it out, or say misp")
	}
	if err := d.enter(ctx); err != nil {
		return "", Token{}, err
	}
	defer d.change.Unlock()
	org, user, err := d.holder(ctx, q.Org, q.User, roles)
	if err != nil {
		return "", Token{}, err
	}
	now := d.now().UTC()
	t := storedToken{Token: Token{ID: base62(idLength), Name: name, Org: org, User: user, Form: q.Form, Roles: roles, Created: now, Expires: now.Add(q.Life)}}
	secret := base62(length)
	hash := d.mac("token", t.ID, secret)
	t.Hash = hash[:]
	doc, err := t.doc(0)
	if err != nil {
		return "", Token{}, err
	}
	act := store.Act{Actor: actor, Verb: "token.add", Target: t.ID, Detail: "name=" + name + " org=" + org + " roles=" + strings.Join(roles, ",")}
	if err := d.commit(ctx, act, doc); err != nil {
		return "", Token{}, err
	}
	if q.Form == FormMISP {
		return t.ID + secret, t.Token, nil
	}
	return strings.Join([]string{tokenPrefix, realmPrefix(d.realm), t.ID, secret}, "_"), t.Token, nil
}

// holder checks for whom a credential is issued. The caller holds d.change.
func (d *Directory) holder(ctx context.Context, org, user string, roles []string) (string, string, error) {
	if user == "" {
		org, err := d.memberOrg(org)
		return org, "", err
	}
	a, _, err := d.account(ctx, user)
	if err != nil {
		return "", "", err
	}
	if org != "" && fold(org) != fold(a.Org) {
		return "", "", fault.New(fault.Invalid, "org.mismatch", "the account belongs to another organisation").At("org")
	}
	for _, r := range roles {
		if !slices.Contains(a.Roles, r) {
			return "", "", fault.New(fault.Forbidden, "role.exceeds", "the account does not have the role %q", r).At("roles")
		}
	}
	return a.Org, a.Name, nil
}

// AuthenticateToken finds the viewer of a token. Whatever is wrong with it, the answer is the same.
func (d *Directory) AuthenticateToken(ctx context.Context, text string) (gate.Viewer, error) {
	id, secret, ok := parseToken(text, d.realm)
	if !ok {
		return gate.Viewer{}, wrong()
	}
	generation, now := d.generation.Load(), d.now()
	sum := d.mac("token", id, secret)
	if hit, ok := d.tokens.get(id, now, generation); ok {
		if subtle.ConstantTimeCompare(sum[:], hit.secret[:]) != 1 {
			return gate.Viewer{}, wrong()
		}
		return hit.viewer, nil
	}
	t, version, err := read[storedToken](ctx, d.store, kindToken, id)
	if err != nil {
		return gate.Viewer{}, absentCredential(err)
	}
	if subtle.ConstantTimeCompare(sum[:], t.Hash) != 1 || !t.Revoked.IsZero() || !now.Before(t.Expires) {
		return gate.Viewer{}, wrong()
	}
	v, ok, err := d.acting(ctx, t.User, t.Org, t.Name, t.Roles)
	if err != nil {
		return gate.Viewer{}, err
	}
	if !ok {
		return gate.Viewer{}, wrong()
	}
	until := now.Add(d.cacheFor)
	if t.Expires.Before(until) {
		until = t.Expires
	}
	d.tokens.put(id, verified{viewer: v, secret: sum, since: now, until: until, generation: generation})
	if now.Sub(t.LastUsed) >= usedEvery {
		d.tokenUsed(ctx, t, version, now)
	}
	return v, nil
}

// tokenUsed notes the day of use. Another change at the same moment wins: this is no more than a hint for the administrator.
func (d *Directory) tokenUsed(ctx context.Context, t storedToken, version int64, now time.Time) {
	d.change.Lock() // so that an administrator's change never meets a conflict with it
	defer d.change.Unlock()
	t.LastUsed = now.UTC().Truncate(usedEvery)
	doc, err := t.doc(version)
	if err == nil {
		err = d.store.PutDocs(ctx, store.Act{Actor: "node", Verb: "token.used", Target: t.ID}, doc)
	}
	if err != nil && fault.Of(err) != fault.Conflict {
		d.log.WarnContext(ctx, "the use of a token could not be noted", "token", t.ID, "error", err)
	}
}

// RevokeToken ends a token, at once.
func (d *Directory) RevokeToken(ctx context.Context, actor, id string) error {
	unknown := fault.New(fault.NotFound, "token.unknown", "there is no such token").At("id")
	if len(id) != idLength || !isBase62(id) {
		return unknown
	}
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.change.Unlock()
	t, version, err := read[storedToken](ctx, d.store, kindToken, id)
	if err != nil {
		return absent(err, unknown)
	}
	if !t.Revoked.IsZero() {
		return nil
	}
	t.Revoked = d.now().UTC()
	doc, err := t.doc(version)
	if err != nil {
		return err
	}
	return d.commit(ctx, store.Act{Actor: actor, Verb: "token.revoke", Target: id}, doc)
}

// Tokens is a page of tokens in the order of their ids, those after the given one. limit 0 is 500, the most is 1000.
func (d *Directory) Tokens(ctx context.Context, after string, limit int) ([]Token, error) {
	stored, err := list[storedToken](ctx, d.store, kindToken, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Token, len(stored))
	for i, t := range stored {
		out[i] = t.Token
	}
	return out, nil
}

// parseToken reads entente_REALM_ID_SECRET, or the bare id and secret of a MISP key.
func parseToken(text, realm string) (id, secret string, ok bool) {
	if len(text) == idLength+mispSecret && isBase62(text) {
		return text[:idLength], text[idLength:], true
	}
	rest, ok := strings.CutPrefix(text, tokenPrefix+"_"+realmPrefix(realm)+"_")
	if !ok || len(rest) != idLength+1+secretLength || rest[idLength] != '_' {
		return "", "", false
	}
	id, secret = rest[:idLength], rest[idLength+1:]
	return id, secret, isBase62(id) && isBase62(secret)
}

// realmPrefix makes tokens of different realms differ to the eye.
func realmPrefix(realm string) string {
	if realm == "operational" {
		return "op"
	}
	sum := sha256.Sum256([]byte(realm))
	return "ex" + hex.EncodeToString(sum[:3])
}

// base62 is n random characters of 0-9 A-Z a-z, each equally likely.
func base62(n int) string {
	v, _ := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(62), big.NewInt(int64(n)), nil)) // crypto/rand.Reader never fails
	text := v.Text(62)
	return strings.Repeat("0", n-len(text)) + text
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

func isBase62(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z') {
			return false
		}
	}
	return true
}

func absentCredential(err error) error {
	if fault.Of(err) == fault.NotFound {
		return wrong()
	}
	return err
}
