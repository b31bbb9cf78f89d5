package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"

	"entente/internal/disk"
)

const (
	format  = 1
	maxFile = 16 << 20 // of a key log; the others are small
)

// head stands at the start of every key file, so that a file moved to another ring or role is refused.
type head struct {
	Format  int       `json:"format"`
	Purpose string    `json:"purpose"`
	Realm   string    `json:"realm"`
	Created time.Time `json:"created"`
}

type ringFile struct {
	head
	Names  Names `json:"names"`
	Member bool  `json:"member,omitempty"`
}

type secretFile struct {
	head
	Secret []byte `json:"secret"`
}

type sealingFile struct {
	head
	Keys []sealingKey `json:"keys"`
}

type sealingKey struct {
	ID      uint32    `json:"id"`
	Created time.Time `json:"created"`
	Secret  []byte    `json:"secret"`
}

type certFile struct {
	head
	Key         []byte   `json:"key"`         // PKCS #8
	Certificate []byte   `json:"certificate"` // DER
	Hosts       []string `json:"hosts,omitempty"`
}

func (h head) headOf() head { return h }

func (r *Ring) head(purpose string) head {
	return head{Format: format, Purpose: purpose, Realm: r.names.Realm, Created: r.now().UTC()}
}

func (r *Ring) path(purpose string) string { return filepath.Join(r.dir, purpose+".json") }

func (r *Ring) save(purpose string, file any) error {
	b, err := json.Marshal(file, jsontext.WithIndent("  "))
	if err != nil {
		return fault.New(fault.Internal, "", "cannot write the key file %s", r.path(purpose)).Because(err)
	}
	return replace(r.path(purpose), append(b, '\n'))
}

// load reads one key file and checks that it is what its name says, in the given realm.
func (r *Ring) load(purpose, realm string, into interface{ headOf() head }) error {
	path := r.path(purpose)
	b, err := readPrivate(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into, json.RejectUnknownMembers(true)); err != nil {
		return damaged(path, nil) // the decoder's own message may quote the secret
	}
	h := into.headOf()
	switch {
	case h.Format != format:
		return fault.New(fault.Unsupported, "keyring.format", "%s has format %d, this program reads format %d", path, h.Format, format)
	case h.Purpose != purpose:
		return damaged(path, fmt.Errorf("it is a file for %q", h.Purpose))
	case h.Realm != realm:
		return fault.New(fault.Conflict, "keyring.realm", "%s belongs to realm %q, not to %q", path, h.Realm, realm).
			By("keys of one realm are never used in another").Try("open the data directory of that realm")
	}
	return nil
}

// replace writes a file that its owner alone may read, whole or not at all, and makes it durable.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-") // 0600
	if err != nil {
		return broken(err, "write", path)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = disk.Sync(filepath.Dir(path))
	}
	if err != nil {
		return broken(err, "write", path)
	}
	return nil
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.NotFound, "keyring.missing", "%s does not exist", dir).Try("create the node with: entente init")
	case err != nil:
		return broken(err, "open", dir)
	case !info.IsDir():
		return fault.New(fault.Invalid, "keyring.file", "%s is not a directory", dir)
	}
	return checkMode(dir, info, "0700")
}

// readPrivate reads a regular file that nobody but its owner may open.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New(fault.NotFound, "keyring.missing", "the key file %s is missing", path).Try("restore it from the backup of this node")
		}
		return nil, broken(err, "open", path)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, broken(err, "open", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "keyring.file", "%s is not a regular file", path)
	}
	if err := checkMode(path, info, "0600"); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, broken(err, "read", path)
	}
	if len(b) > maxFile {
		return nil, damaged(path, nil)
	}
	return b, nil
}

func checkMode(path string, info fs.FileInfo, want string) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fault.New(fault.Forbidden, "keyring.permissions", "%s may be used by other accounts: its mode is %#o", path, mode).
			By("keys are readable by their owner alone").Try("run: chmod " + want + " " + path)
	}
	return nil
}

func broken(err error, doing, path string) error {
	return fault.New(fault.Internal, "keyring.io", "cannot %s %s", doing, path).Because(err)
}

func damaged(path string, err error) error {
	return fault.New(fault.Invalid, "keyring.damaged", "the key file %s is damaged", path).Try("restore it from the backup of this node").Because(err)
}

var (
	nationForm = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}$`)
	realmForm  = regexp.MustCompile(`^(operational|exercise:[A-Za-z0-9][A-Za-z0-9._-]{0,62})$`)
	hostForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*\.?$`)
)

const maxHosts = 64

func (n Names) check() error {
	if !nationForm.MatchString(n.Nation) {
		return fault.New(fault.Invalid, "keyring.name", "%q is not a nation's code", n.Nation).At("nation").By("ISO 3166-1 alpha-3, for example UTO")
	}
	if !realmForm.MatchString(n.Realm) {
		return fault.New(fault.Invalid, "keyring.name", "%q is not a realm", n.Realm).At("realm").By(`"operational" or "exercise:NAME"`)
	}
	if err := checkName("org", n.Org); err != nil {
		return err
	}
	return checkHosts(n.Hosts)
}

// checkName holds names that go into a certificate's subject to what X.509 can carry.
func checkName(where, name string) error {
	if name == "" || len(name) > 128 || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) || c == '/' }) {
		return fault.New(fault.Invalid, "keyring.name", "%q is not a usable name", name).At(where).
			By("1 to 128 bytes of printable text without / and without spaces at its ends")
	}
	return nil
}

func checkHosts(hosts []string) error {
	if len(hosts) > maxHosts {
		return fault.New(fault.Invalid, "keyring.host", "%d host names are too many", len(hosts)).At("hosts").By(fmt.Sprintf("at most %d", maxHosts))
	}
	for _, h := range hosts {
		if net.ParseIP(h) == nil && (len(h) > 253 || !hostForm.MatchString(h)) {
			return fault.New(fault.Invalid, "keyring.host", "%q is neither a host name nor an address", h).At("hosts").
				Try("give names as DNS holds them (international names in their xn-- form) and addresses without port")
		}
	}
	return nil
}
