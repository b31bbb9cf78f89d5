package identity

import (
	"context"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"entente/internal/fault"
)

const (
	minPassword = 12
	maxPassword = 1024
)

// hashParams are the costs of a password hash. Iterations > 0 is PBKDF2-HMAC-SHA-512, else Argon2id (RFC 9106).
type hashParams struct {
	memory, time, threads int // KiB, passes, lanes
	iterations            int
}

// The costs of new hashes: at or above what OWASP's password storage cheat sheet asks for (19 MiB and two passes; 210,000 rounds),
// about 50 ms on one core. Passes and not memory are raised, because several run at once in a small node.
var (
	argonNow  = hashParams{memory: 19 << 10, time: 4, threads: 1}
	pbkdf2Now = hashParams{iterations: 220_000}
)

func preferred() hashParams {
	if fips140.Enabled() {
		return pbkdf2Now
	}
	return argonNow
}

// phc is a hash in the PHC string format.
type phc struct {
	hashParams
	salt, sum []byte
}

func (h phc) String() string {
	enc := base64.RawStdEncoding
	if h.iterations > 0 {
		return fmt.Sprintf("$pbkdf2-sha512$i=%d$%s$%s", h.iterations, enc.EncodeToString(h.salt), enc.EncodeToString(h.sum))
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads, enc.EncodeToString(h.salt), enc.EncodeToString(h.sum))
}

// parsePHC reads a stored hash. The bounds keep a damaged store from costing more than a sign-in may.
func parsePHC(s string) (h phc, ok bool) {
	if len(s) > 512 {
		return phc{}, false
	}
	parts := strings.Split(s, "$")
	if len(parts) < 4 || parts[0] != "" {
		return phc{}, false
	}
	switch {
	case parts[1] == "argon2id" && len(parts) == 6:
		var costs [3]int
		fields := strings.Split(parts[3], ",")
		if parts[2] != "v="+strconv.Itoa(argon2.Version) || len(fields) != 3 {
			return phc{}, false
		}
		for i, limit := range []struct {
			name     string
			low, top int
		}{{"m=", 8, 256 << 10}, {"t=", 1, 16}, {"p=", 1, 8}} {
			if costs[i], ok = number(fields[i], limit.name, limit.low, limit.top); !ok {
				return phc{}, false
			}
		}
		h.memory, h.time, h.threads = costs[0], costs[1], costs[2]
	case parts[1] == "pbkdf2-sha512" && len(parts) == 5:
		if h.iterations, ok = number(parts[2], "i=", 1000, 10_000_000); !ok {
			return phc{}, false
		}
	default:
		return phc{}, false
	}
	enc := base64.RawStdEncoding.Strict()
	var err1, err2 error
	h.salt, err1 = enc.DecodeString(parts[len(parts)-2])
	h.sum, err2 = enc.DecodeString(parts[len(parts)-1])
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > 64 {
		return phc{}, false
	}
	return h, h.String() == s
}

func number(s, prefix string, low, top int) (int, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || len(digits) > 9 {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= low && n <= top
}

// derive runs the hash. False when this process may not compute it: Argon2 where only FIPS 140-3 algorithms are allowed.
func (h phc) derive(password string, length int) ([]byte, bool) {
	if h.iterations > 0 {
		sum, err := pbkdf2.Key(sha512.New, password, h.salt, h.iterations, length)
		return sum, err == nil
	}
	if fips140.Enforced() {
		return nil, false
	}
	return argon2.IDKey([]byte(password), h.salt, uint32(h.time), uint32(h.memory), uint8(h.threads), uint32(length)), true
}

func hashPassword(password string) (string, error) {
	h := phc{hashParams: preferred(), salt: make([]byte, 16)}
	rand.Read(h.salt)
	sum, ok := h.derive(password, 32)
	if !ok {
		return "", fault.New(fault.Internal, "password.hash", "the password cannot be hashed here")
	}
	h.sum = sum
	return h.String(), nil
}

// verifyPassword compares in constant time, and tells whether the hash should be made anew.
func verifyPassword(stored, password string) (ok, stale bool) {
	h, parsed := parsePHC(stored)
	if !parsed {
		return false, false
	}
	sum, computed := h.derive(password, len(h.sum))
	if !computed {
		return false, false
	}
	return subtle.ConstantTimeCompare(sum, h.sum) == 1, h.hashParams != preferred()
}

// computable tells whether this process may verify a stored hash at all.
func computable(stored string) bool {
	return !fips140.Enforced() || !strings.HasPrefix(stored, "$argon2id$")
}

// decoy is a well-formed hash of no password, so that an unknown name costs what a wrong password does.
func decoy() string {
	h := phc{hashParams: preferred(), salt: make([]byte, 16), sum: make([]byte, 32)}
	rand.Read(h.salt)
	rand.Read(h.sum)
	return h.String()
}

// hashing bounds the memory of concurrent hashes. One place is kept for those who have signed in from where they are before.
type hashing struct {
	places, reserved chan struct{}
	waiting          atomic.Int64
}

const maxWaiting = 128

func newHashing() *hashing {
	return &hashing{places: make(chan struct{}, min(runtime.GOMAXPROCS(0), 4)), reserved: make(chan struct{}, 1)}
}

// do runs f in a place, or gives up with Unavailable when too many wait or the context ends.
func (h *hashing) do(ctx context.Context, known bool, f func()) error {
	if h.waiting.Add(1) > maxWaiting && !known {
		h.waiting.Add(-1)
		return fault.New(fault.Unavailable, "auth.busy", "too many sign-ins at once").After(2 * time.Second)
	}
	defer h.waiting.Add(-1)
	var reserved chan struct{} // nil: never ready
	if known {
		reserved = h.reserved
	}
	place := h.places
	select {
	case h.places <- struct{}{}:
	case reserved <- struct{}{}:
		place = h.reserved
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "auth.busy", "the sign-in was ended before it was answered").After(time.Second).Because(ctx.Err())
	}
	defer func() { <-place }()
	f()
	return nil
}

// CheckPassword tells whether a password may be chosen for the account.
func CheckPassword(name, password string) error {
	weak := func(message string) error {
		return fault.New(fault.Invalid, "password.weak", "%s", message).At("password").
			By("12 characters to 1024 bytes, not the account's name, not a common password").Try("choose a longer phrase")
	}
	lower := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password):
		return weak("the password is not valid UTF-8")
	case utf8.RuneCountInString(password) < minPassword:
		return weak("the password is too short")
	case len(password) > maxPassword:
		return weak("the password is too long")
	case lower == strings.ToLower(name):
		return weak("the password is the account's name")
	case common[lower], monotonous(lower):
		return weak("the password is among the first that anyone would try")
	}
	return nil
}

// common are well-known passwords that are long enough to pass the other rules.
var common = map[string]bool{
	"123456789012": true, "1234567890123": true, "12345678901234": true, "1q2w3e4r5t6y": true, "qwertyuiop12": true, "qwertyuiop123": true,
	"qwertyuiopasdf": true, "qwerty123456": true, "qwerty1234567": true, "password1234": true, "password12345": true, "password123456": true,
	"passwordpassword": true, "password1password": true, "passw0rd1234": true, "p@ssw0rd1234": true, "p@ssword1234": true, "mypassword123": true,
	"administrator": true, "administrator1": true, "administrator123": true, "adminadminadmin": true, "admin1234567": true, "admin12345678": true,
	"admin123456789": true, "changeme1234": true, "changemechangeme": true, "changemeplease": true, "changethispassword": true, "letmeinletmein": true,
	"letmein12345": true, "welcome12345": true, "welcome123456": true, "iloveyou1234": true, "iloveyouforever": true, "defaultpassword": true,
	"defaultpassword1": true, "secretpassword": true, "supersecret123": true,
	"abcdefghijkl": true, "abcdef123456": true, "abc123abc123": true, "qazwsxedcrfv": true, "zaq12wsxcde3": true, "1qaz2wsx3edc": true,
	"ententeentente": true, "entente12345": true, "temporarypassword": true, "temppassword": true, "testpassword": true,
}

// monotonous: fewer than four different characters, or one run up or down.
func monotonous(s string) bool {
	seen := map[rune]bool{}
	var last, step rune
	run := true
	for i, c := range []rune(s) {
		seen[c] = true
		if i == 1 {
			step = c - last
		}
		if i > 0 && c-last != step {
			run = false
		}
		last = c
	}
	return run || len(seen) < 4
}

// ReadPasswordFile reads a password from the first line of a file. loose tells that other accounts of the machine may read the file,
// which its owner should be warned of.
func ReadPasswordFile(path string) (password string, loose bool, err error) {
	bad := func(message string) *fault.Error {
		return fault.New(fault.Invalid, "password.file", "%s: %s", path, message).At("password-file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", false, bad("the password file cannot be opened").Because(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", false, bad("the password file cannot be read").Because(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return "", false, bad("the password file cannot be read").Because(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", false, bad("the first line of the password file is empty")
	}
	return line, info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0, nil
}
