package identity

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/base64"
	"image/png"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/outside"
)

// totp is a confirmed source of one-time codes (RFC 6238).
type totp struct {
	Secret   string    `json:"secret"` // base32, sealed
	Step     int64     `json:"step"`   // of the last code that was taken: none is taken twice
	Recovery [][]byte  `json:"recovery,omitempty"`
	Created  time.Time `json:"created"`
}

// pendingTOTP is a secret that waits for the first code made with it.
type pendingTOTP struct {
	Secret  string    `json:"secret"` // base32, sealed
	Session string    `json:"session"`
	Until   time.Time `json:"until"`
}

// TOTPSecret is a new secret for an app, told this once.
type TOTPSecret struct {
	Secret string `json:"secret"` // base32
	URI    string `json:"uri"`    // otpauth://
	QR     string `json:"qr"`     // the URI as an image: a data URI of PNG
}

const (
	totpStep      = 30 // s; RFC 6238 section 4.1
	totpContext   = "auth.totp"
	pendingLife   = 10 * time.Minute
	recoveryCodes = 10
	recoverySize  = 10 // characters of 5 bits
	qrPixels      = 240

	// Beyond maxCodeFailures wrong codes within codeWindow, from wherever, codes of the account are taken only from where it has signed in
	// lately: six digits stand no long guessing. Whoever comes so far knows the password.
	maxCodeFailures = 10
	codeWindow      = 15 * time.Minute
	maxCodeAccounts = 1 << 14
)

var codeForm = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// BeginTOTP makes a secret for the person of a session. It counts from the first code on, which ConfirmTOTP takes.
func (d *Directory) BeginTOTP(ctx context.Context, s Session) (TOTPSecret, error) {
	if err := d.fresh(s); err != nil {
		return TOTPSecret{}, err
	}
	a, _, err := d.account(ctx, s.User)
	if err != nil {
		return TOTPSecret{}, err
	}
	if a.TOTP != nil {
		return TOTPSecret{}, fault.New(fault.Conflict, "totp.exists", "the account has one-time codes already").Try("remove them first")
	}
	if d.sealer == nil {
		return TOTPSecret{}, fault.New(fault.Internal, "identity.config", "this directory has no sealer")
	}
	secret := base32Text(32) // 160 bits: RFC 4226 section 4, R6
	label := url.PathEscape("Entente " + a.Org + ":" + a.Name)
	uri := "otpauth://totp/" + label + "?" + url.Values{"secret": {secret}, "issuer": {"Entente " + a.Org}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}.Encode()
	uri = strings.ReplaceAll(uri, "+", "%20") // apps show a plus sign as it is
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return TOTPSecret{}, fault.New(fault.Internal, "", "the secret cannot be written as a URI").Because(err)
	}
	image, err := key.Image(qrPixels, qrPixels)
	if err != nil {
		return TOTPSecret{}, fault.New(fault.Internal, "", "the secret cannot be drawn").Because(err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image); err != nil {
		return TOTPSecret{}, fault.New(fault.Internal, "", "the secret cannot be drawn").Because(err)
	}
	until := d.now().UTC().Add(pendingLife)
	doc, err := write(kindPending, a.Name, pendingTOTP{Secret: d.sealer.Seal(totpContext+"/"+a.Name, []byte(secret)), Session: s.ID, Until: until}, -1)
	if err != nil {
		return TOTPSecret{}, err
	}
	doc.Expires = until
	if err := d.store.PutDocs(ctx, store.Act{}, doc); err != nil { // nothing has changed yet
		return TOTPSecret{}, err
	}
	return TOTPSecret{Secret: secret, URI: uri, QR: "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())}, nil
}

// ConfirmTOTP takes the first code. It returns the codes for the day on which the app is lost: each opens once, and they are told this
// once. Other sessions of the account end.
func (d *Directory) ConfirmTOTP(ctx context.Context, s Session, code, remote string) ([]string, error) {
	gone := fault.New(fault.NotFound, "totp.pending", "no secret waits for its first code").Try("begin again")
	p, _, err := read[pendingTOTP](ctx, d.store, kindPending, s.User)
	if err != nil {
		return nil, absent(err, gone)
	}
	secret, err := d.openTOTP(s.User, p.Secret)
	if err != nil || p.Session != s.ID || !d.now().Before(p.Until) {
		return nil, gone
	}
	a, _, err := d.account(ctx, s.User)
	if err != nil {
		return nil, err
	}
	if a.TOTP != nil {
		return nil, fault.New(fault.Conflict, "totp.exists", "the account has one-time codes already").Try("remove them first")
	}
	step, ok := matchCode(secret, code, d.now(), 0)
	if !ok {
		if err := d.codes.check(a.Name, address(remote), d.now()); err != nil {
			return nil, err
		}
		d.codes.failed(a.Name, d.now())
		return nil, fault.New(fault.Invalid, "totp.code", "this is not the present code").At("code").Try("look whether the clock of the device is right")
	}
	codes, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		text := strings.ToLower(base32Text(recoverySize))
		hashes[i] = d.recoveryHash(a.Name, text)
		codes[i] = text[:recoverySize/2] + "-" + text[recoverySize/2:]
	}
	sealed := d.sealer.Seal(totpContext+"/"+a.Name, []byte(secret))
	if err := d.editOwn(ctx, "user.totp.add", a, s.ID, func(now *account) {
		now.TOTP = &totp{Secret: sealed, Step: step, Recovery: hashes, Created: d.now().UTC()}
	}); err != nil {
		return nil, err
	}
	return codes, nil
}

// SignInCode is the step of a sign-in that asks for a code: of the app, or a recovery code.
func (d *Directory) SignInCode(ctx context.Context, text, code string, from Client) (SignedIn, error) {
	t, a, err := d.ticketHolder(ctx, StateTOTP, text)
	if err != nil {
		return SignedIn{}, err
	}
	if a.TOTP == nil {
		return SignedIn{}, ended()
	}
	by, err := d.takeCode(ctx, a.Name, code, from.Remote)
	if err != nil {
		return SignedIn{}, err
	}
	if a, _, err = d.account(ctx, a.Name); err != nil {
		return SignedIn{}, err
	}
	if a.Epoch != t.Epoch {
		return SignedIn{}, ended()
	}
	return d.advance(ctx, a, by, from)
}

// takeCode checks a code of an account and makes sure that it is not taken again. It returns how the account has then signed in.
func (d *Directory) takeCode(ctx context.Context, name, code, remote string) (by string, err error) {
	where := pairKey{name + "\x00code", address(remote)} // apart from passwords: a right password does not excuse a wrong code
	if err := d.codes.check(name, where.address, d.now()); err != nil {
		return "", err
	}
	try, err := d.throttle.begin(where)
	if err != nil {
		return "", err
	}
	if try.delay > 0 {
		err := d.sleep(ctx, try.delay)
		try.slept()
		if err != nil {
			try.abandoned()
			return "", fault.New(fault.Unavailable, "auth.busy", "the sign-in was ended before it was answered").Because(err)
		}
	}
	by, err = d.consume(ctx, name, code)
	switch {
	case err == nil:
		try.succeeded()
		d.codes.succeeded(name, where.address, d.now())
	case fault.Of(err) == fault.Unauthenticated:
		try.failed()
		d.codes.failed(name, d.now())
	default:
		try.abandoned()
	}
	return by, err
}

// consume marks a code as taken in the store: the same one at the same moment is taken once.
func (d *Directory) consume(ctx context.Context, name, code string) (by string, err error) {
	no := fault.New(fault.Unauthenticated, "auth.code", "the code is not valid, or was used already").At("code")
	if len(code) > 32 {
		return "", no
	}
	d.change.Lock()
	defer d.change.Unlock()
	a, version, err := d.account(ctx, name)
	if err != nil {
		return "", absent(err, no)
	}
	if a.TOTP == nil {
		return "", no
	}
	secret, err := d.openTOTP(a.Name, a.TOTP.Secret)
	if err != nil {
		return "", err
	}
	next := *a.TOTP
	act := store.Act{}
	if step, ok := matchCode(secret, code, d.now(), a.TOTP.Step); ok {
		next.Step, by = step, byTOTP
		next.Secret = d.sealer.Seal(totpContext+"/"+a.Name, []byte(secret)) // under the sealing key of today: older ones are forgotten one day
	} else if i := slices.IndexFunc(a.TOTP.Recovery, func(h []byte) bool { return hmac.Equal(h, d.recoveryHash(a.Name, recoveryText(code))) }); i >= 0 {
		next.Recovery, by = slices.Delete(slices.Clone(a.TOTP.Recovery), i, i+1), byRecovery
		act = store.Act{Actor: a.Org + "/" + a.Name, Verb: "user.recovery", Target: a.Name}
	} else {
		return "", no
	}
	a.TOTP = &next
	doc, err := write(kindUser, a.Name, a, version)
	if err != nil {
		return "", err
	}
	return by, d.store.PutDocs(ctx, act, doc)
}

// RemoveTOTP takes the one-time codes of a person away. It takes the present password, a code, or a session signed in just now.
func (d *Directory) RemoveTOTP(ctx context.Context, s Session, password, code, remote string) error {
	a, err := d.prove(ctx, s, password, code, remote)
	if err != nil {
		return err
	}
	if a.TOTP == nil {
		return fault.New(fault.Conflict, "totp.none", "the account has no one-time codes")
	}
	return d.editOwn(ctx, "user.totp.remove", a, s.ID, func(now *account) { now.TOTP = nil })
}

// prove makes sure that it is the person who uses a session.
func (d *Directory) prove(ctx context.Context, s Session, password, code, remote string) (account, error) {
	switch {
	case password != "":
		if _, err := d.verify(ctx, s.User, password, remote); err != nil {
			return account{}, err
		}
	case code != "":
		if _, err := d.takeCode(ctx, s.User, code, remote); err != nil {
			return account{}, err
		}
	default:
		if err := d.fresh(s); err != nil {
			return account{}, err
		}
	}
	a, _, err := d.account(ctx, s.User)
	return a, err
}

func (d *Directory) openTOTP(name, sealed string) (string, error) {
	if d.sealer == nil {
		return "", fault.New(fault.Internal, "identity.config", "this directory has no sealer")
	}
	b, err := d.sealer.Open(totpContext+"/"+name, sealed)
	if err != nil {
		return "", fault.New(fault.Internal, "identity.damaged", "the secret of an account's one-time codes cannot be opened").Try("reset the account's factors").Because(err)
	}
	return string(b), nil
}

// matchCode finds the step that a code belongs to: the present one, or one to either side for clocks that differ (RFC 6238 section 5.2),
// and later than the last that was taken.
func matchCode(secret, code string, now time.Time, last int64) (int64, bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	if len(code) != 6 {
		return 0, false
	}
	present := now.Unix() / totpStep
	found, ok := int64(0), false
	for step := present - 1; step <= present+1; step++ {
		var want string
		var err error
		outside.Run(func() { want, err = hotp.GenerateCodeCustom(secret, uint64(step), codeForm) }) // RFC 4226 knows no other hash
		if err == nil && hmac.Equal([]byte(want), []byte(code)) && step > last && !ok {
			found, ok = step, true
		}
	}
	return found, ok
}

// recoveryText is a recovery code as it was hashed, however it was typed.
func recoveryText(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(code))
}

func (d *Directory) recoveryHash(name, code string) []byte {
	sum := d.mac("recovery", name, code)
	return sum[:]
}

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // RFC 4648 section 6

// base32Text is n random characters of base32.
func base32Text(n int) string {
	out := randomBytes(n)
	for i, b := range out {
		out[i] = base32Alphabet[b&31]
	}
	return string(out)
}
