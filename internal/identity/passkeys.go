package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"entente/internal/fault"
	"entente/internal/store"
)

// Passkey is a credential of Web Authentication (W3C, level 3) as its person is shown it.
type Passkey struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
	Synced  bool      `json:"synced"` // it may be on several devices of the person
}

// passkey is a credential record (section 4).
type passkey struct {
	Passkey
	Credential []byte   `json:"credential"` // its id
	Key        []byte   `json:"key"`        // public, in COSE form
	Count      uint32   `json:"count,omitzero"`
	Flags      byte     `json:"flags"`
	Transports []string `json:"transports,omitempty"`
	AAGUID     []byte   `json:"aaguid,omitempty"`
}

// ownerDoc finds the account of a passkey, or of a person of a provider.
type ownerDoc struct {
	User string `json:"user"`
}

// Site is where a browser speaks to the node.
type Site struct {
	Host   string // with or without port, as the browser asks for it
	Secure bool   // over TLS, to the node or to the proxy before it
}

const (
	maxPasskeys     = 10
	maxCredential   = 64 << 10 // bytes of a browser's answer
	kindPasskey     = "passkey"
	ticketPasskey   = "passkey"
	ticketEnrolment = "passkey.add"
	handleLength    = 32
)

// PasskeysAt tells whether a browser can use passkeys where it speaks to the node: they are bound to one name.
func (d *Directory) PasskeysAt(site Site) bool {
	_, err := d.relyingParty(site)
	return err == nil
}

// relyingParty is the node as authenticators know it. A page counts when it is of the relying party's name or one below it.
func (d *Directory) relyingParty(site Site) (*webauthn.WebAuthn, error) {
	host := strings.ToLower(site.Host)
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	origins := d.origins
	if len(origins) == 0 {
		scheme := "https://"
		if !site.Secure {
			scheme = "http://" // browsers have passkeys there for localhost only
		}
		origins = []string{scheme + host}
	}
	if d.sealer == nil || name != d.rpID && !strings.HasSuffix(name, "."+d.rpID) || !site.Secure && name != "localhost" {
		return nil, fault.New(fault.Unprocessable, "passkey.host", "passkeys are for https://%s, and this page is not there", d.rpID).
			Try("open the console under that name, or set auth.rp_id")
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: d.rpID, RPDisplayName: "Entente " + d.Register().Org, RPOrigins: origins, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired},
	})
	if err != nil {
		return nil, fault.New(fault.Internal, "passkey.config", "passkeys cannot be used with this configuration").Because(err)
	}
	return w, nil
}

// holder is an account as the protocol sees it.
type holder struct{ a account }

func (h holder) WebAuthnID() []byte          { return h.a.Handle }
func (h holder) WebAuthnName() string        { return h.a.Name }
func (h holder) WebAuthnDisplayName() string { return h.a.Name }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, len(h.a.Passkeys))
	for i, p := range h.a.Passkeys {
		out[i] = webauthn.Credential{ID: p.Credential, PublicKey: p.Key, Flags: webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(p.Flags)),
			Authenticator: webauthn.Authenticator{AAGUID: p.AAGUID, SignCount: p.Count}}
		for _, t := range p.Transports {
			out[i].Transport = append(out[i].Transport, protocol.AuthenticatorTransport(t))
		}
	}
	return out
}

// ceremony seals what a ceremony's end must know of its begin.
func (d *Directory) ceremony(kind string, t ticket, begun *webauthn.SessionData, publicKey any) (string, json.RawMessage, error) {
	data, err := json.Marshal(begun)
	if err != nil {
		return "", nil, fault.New(fault.Internal, "", "a ceremony cannot be written").Because(err)
	}
	options, err := json.Marshal(publicKey)
	if err != nil {
		return "", nil, fault.New(fault.Internal, "", "a ceremony cannot be written").Because(err)
	}
	t.Kind, t.Data = kind, data
	text, err := d.seal(t)
	return text, options, err
}

// BeginPasskey asks the browser of a person to make a passkey. What it returns are a ticket and PublicKeyCredentialCreationOptions.
func (d *Directory) BeginPasskey(ctx context.Context, s Session, site Site) (string, json.RawMessage, error) {
	if err := d.fresh(s); err != nil {
		return "", nil, err
	}
	w, err := d.relyingParty(site)
	if err != nil {
		return "", nil, err
	}
	a, _, err := d.account(ctx, s.User)
	if err != nil {
		return "", nil, err
	}
	if len(a.Passkeys) >= maxPasskeys {
		return "", nil, fault.New(fault.Conflict, "passkey.count", "an account has at most %d passkeys", maxPasskeys).Try("remove one first")
	}
	if len(a.Handle) == 0 {
		a.Handle = randomBytes(handleLength) // kept with the first passkey
	}
	creation, begun, err := w.BeginRegistration(holder{a}, webauthn.WithExclusions(webauthn.Credentials(holder{a}.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return "", nil, fault.New(fault.Internal, "passkey.begin", "the ceremony cannot begin").Because(err)
	}
	return d.ceremony(ticketEnrolment, ticket{User: a.Name, Epoch: a.Epoch, By: s.ID}, begun, creation.Response)
}

// AddPasskey takes the passkey that the browser has made: a RegistrationResponseJSON. Other sessions of the account end.
func (d *Directory) AddPasskey(ctx context.Context, s Session, text, name string, credential []byte, site Site) (Passkey, error) {
	if name = strings.TrimSpace(name); name == "" || utf8.RuneCountInString(name) > 64 || printable(name) != name {
		return Passkey{}, fault.New(fault.Invalid, "passkey.name", "a passkey needs a name").At("name").By("1 to 64 printable characters")
	}
	w, err := d.relyingParty(site)
	if err != nil {
		return Passkey{}, err
	}
	t, a, err := d.ticketHolder(ctx, ticketEnrolment, text)
	if err != nil || t.User != s.User || t.By != s.ID {
		return Passkey{}, fault.New(fault.Invalid, "passkey.ticket", "this ceremony has taken too long, or is not of this session").At("ticket").Try("begin again").Because(err)
	}
	var begun webauthn.SessionData
	if err := json.Unmarshal(t.Data, &begun); err != nil {
		return Passkey{}, fault.New(fault.Internal, "", "a ceremony cannot be read").Because(err)
	}
	bad := func(err error) error {
		return fault.New(fault.Invalid, "passkey.invalid", "the passkey was not made as it was asked for").At("credential").By("Web Authentication level 3, section 7.1").Because(err)
	}
	if len(credential) > maxCredential {
		return Passkey{}, bad(nil)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(credential)
	if err != nil {
		return Passkey{}, bad(err)
	}
	a.Handle = begun.UserID
	made, err := w.CreateCredential(holder{a}, begun, parsed)
	if err != nil {
		return Passkey{}, bad(err)
	}
	if !made.Flags.UserVerified || len(made.ID) > 1023 || len(made.PublicKey) > 8<<10 {
		return Passkey{}, bad(nil)
	}
	if !d.spend(t) {
		return Passkey{}, bad(nil)
	}
	p := passkey{Passkey: Passkey{ID: credentialID(made.ID)[:32], Name: name, Created: d.now().UTC(), Synced: made.Flags.BackupEligible},
		Credential: made.ID, Key: made.PublicKey, Count: made.Authenticator.SignCount, Flags: byte(made.Flags.ProtocolValue()), AAGUID: made.Authenticator.AAGUID}
	for _, tr := range made.Transport[:min(len(made.Transport), 8)] {
		if len(tr) <= 32 {
			p.Transports = append(p.Transports, string(tr))
		}
	}
	switch _, _, err := read[ownerDoc](ctx, d.store, kindPasskey, credentialID(made.ID)); {
	case err == nil:
		return Passkey{}, fault.New(fault.Conflict, "passkey.exists", "this passkey is registered already").At("credential")
	case fault.Of(err) != fault.NotFound:
		return Passkey{}, err
	}
	return p.Passkey, d.editOwn(ctx, "user.passkey.add", a, s.ID, func(now *account) {
		now.Handle, now.Passkeys = begun.UserID, append(slices.Clone(now.Passkeys), p)
	})
}

// Passkeys are those of an account, oldest first.
func (d *Directory) Passkeys(ctx context.Context, name string) ([]Passkey, error) {
	a, _, err := d.account(ctx, name)
	if err != nil {
		return nil, err
	}
	out := make([]Passkey, len(a.Passkeys))
	for i, p := range a.Passkeys {
		out[i] = p.Passkey
	}
	return out, nil
}

// RemovePasskey takes a passkey away, for a person who has signed in just now.
func (d *Directory) RemovePasskey(ctx context.Context, s Session, id string) error {
	if err := d.fresh(s); err != nil {
		return err
	}
	a, _, err := d.account(ctx, s.User)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(a.Passkeys, func(p passkey) bool { return p.ID == id })
	if i < 0 {
		return fault.New(fault.NotFound, "passkey.unknown", "there is no such passkey").At("id")
	}
	return d.editOwn(ctx, "user.passkey.remove", a, s.ID, func(now *account) {
		now.Passkeys = slices.DeleteFunc(slices.Clone(now.Passkeys), func(p passkey) bool { return p.ID == id })
	})
}

// BeginPasskeySignIn asks a browser for any passkey that it has for this node: a ticket and PublicKeyCredentialRequestOptions.
func (d *Directory) BeginPasskeySignIn(site Site) (string, json.RawMessage, error) {
	w, err := d.relyingParty(site)
	if err != nil {
		return "", nil, err
	}
	assertion, begun, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return "", nil, fault.New(fault.Internal, "passkey.begin", "the ceremony cannot begin").Because(err)
	}
	return d.ceremony(ticketPasskey, ticket{}, begun, assertion.Response)
}

// SignInPasskey takes a browser's AuthenticationResponseJSON. Whatever is wrong with it, the answer is the same.
func (d *Directory) SignInPasskey(ctx context.Context, text string, credential []byte, site Site, from Client) (SignedIn, error) {
	w, err := d.relyingParty(site)
	if err != nil {
		return SignedIn{}, err
	}
	t, err := d.unseal(ticketPasskey, text)
	if err != nil {
		return SignedIn{}, err
	}
	var begun webauthn.SessionData
	if err := json.Unmarshal(t.Data, &begun); err != nil {
		return SignedIn{}, fault.New(fault.Internal, "", "a ceremony cannot be read").Because(err)
	}
	no := func(err error) error {
		return fault.New(fault.Unauthenticated, "auth.passkey_invalid", "the passkey is not valid here").Because(err)
	}
	if len(credential) > maxCredential {
		return SignedIn{}, no(nil)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(credential)
	if err != nil {
		return SignedIn{}, no(err)
	}
	var a account
	var failed error // of the store, not of the passkey
	used, err := w.ValidateDiscoverableLogin(func(id, handle []byte) (webauthn.User, error) {
		owner, _, err := read[ownerDoc](ctx, d.store, kindPasskey, credentialID(id))
		if err == nil {
			a, _, err = d.account(ctx, owner.User)
		}
		if err != nil {
			if fault.Of(err) != fault.NotFound {
				failed = err
			}
			return nil, err
		}
		if len(handle) == 0 || !bytes.Equal(handle, a.Handle) || a.Disabled {
			return nil, wrong()
		}
		return holder{a}, nil
	}, begun, parsed)
	switch {
	case failed != nil:
		return SignedIn{}, failed
	case err != nil:
		return SignedIn{}, no(err)
	case used.Authenticator.CloneWarning:
		d.log.WarnContext(ctx, "a passkey was used whose counter has gone back: there may be a copy of it", "account", a.Name)
		if err := d.store.PutDocs(ctx, store.Act{Actor: a.Org + "/" + a.Name, Verb: "passkey.regressed", Target: a.Name, Detail: "passkey=" + credentialID(used.ID)[:32]}); err != nil {
			return SignedIn{}, err
		}
		return SignedIn{}, no(nil)
	case !d.spend(t):
		return SignedIn{}, no(nil)
	}
	if err := d.passkeyUsed(ctx, a.Name, used); err != nil {
		return SignedIn{}, err
	}
	return d.advance(ctx, a, byPasskey, from)
}

// passkeyUsed keeps the counter of a passkey, so that a copy of it is noticed.
func (d *Directory) passkeyUsed(ctx context.Context, name string, used *webauthn.Credential) error {
	d.change.Lock()
	defer d.change.Unlock()
	a, version, err := d.account(ctx, name)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(a.Passkeys, func(p passkey) bool { return bytes.Equal(p.Credential, used.ID) })
	if i < 0 || a.Passkeys[i].Count > used.Authenticator.SignCount { // removed, or used at the same moment
		return wrong()
	}
	a.Passkeys[i].Count, a.Passkeys[i].Used, a.Passkeys[i].Flags = used.Authenticator.SignCount, d.now().UTC(), byte(used.Flags.ProtocolValue())
	doc, err := write(kindUser, a.Name, a, version)
	if err != nil {
		return err
	}
	return d.store.PutDocs(ctx, store.Act{}, doc) // no change of rights
}

// owned makes the documents by which passkeys and persons of a provider find their account, for a change of it.
func owned(before, after account) (docs []store.Doc, err error) {
	if docs, err = linked(before, after); err != nil {
		return nil, err
	}
	has := func(a account, id []byte) bool {
		return slices.ContainsFunc(a.Passkeys, func(p passkey) bool { return bytes.Equal(p.Credential, id) })
	}
	for _, p := range before.Passkeys {
		if !has(after, p.Credential) {
			docs = append(docs, store.Doc{Kind: kindPasskey, Key: credentialID(p.Credential), Version: -1})
		}
	}
	for _, p := range after.Passkeys {
		if has(before, p.Credential) {
			continue
		}
		doc, err := write(kindPasskey, credentialID(p.Credential), ownerDoc{after.Name}, 0)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// credentialID names a credential in the store: ids are up to 1023 bytes long.
func credentialID(id []byte) string {
	sum := sha256.Sum256(id)
	return hex.EncodeToString(sum[:])
}
