// Package keyring holds every key and certificate of one node: the keys that it signs with and the nation's key log, the sealing keys, the secrets behind keyed hashes,
// and the local certificate authority. They stand in files below DIR/keys that only the node's own account may read, and each file
// names the realm it belongs to: a key of one realm never works in another.
//
// Everything here also works under GODEBUG=fips140=only; ML-DSA, one half of the hybrid keys, stands outside the validated module.
package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"os"
	"path/filepath"
	"sync"
	"time"

	"entente/internal/disk"
	"entente/internal/fault"
	"entente/keylog"
)

// Operational is the realm of real work; every other realm is "exercise:NAME".
const Operational = "operational"

// folder is where the files of a ring stand below the data directory.
const folder = "keys"

// Names says whose ring it is.
type Names struct {
	Nation string   `json:"nation"`
	Org    string   `json:"org"`
	Realm  string   `json:"realm"`
	Hosts  []string `json:"hosts,omitempty"` // DNS names and addresses of the server certificate, besides those of this machine
}

// Ring is the open keys of one node. Its methods are safe for concurrent use.
type Ring struct {
	dir   string
	names Names
	now   func() time.Time

	member bool   // the nation's root is elsewhere, and has always been
	root   []byte // all secrets of keyed hashes are derived from it
	ca     authority

	mu      sync.RWMutex
	own     map[string]*own // by the name of their file
	log     *keylog.Log     // of the nation
	sealing []sealer        // the newest last
	server  leaf
}

// Create makes the keys of a new node below dir/keys. They appear all at once or not at all. A ring that is there already is a
// Conflict. An empty realm is Operational.
func Create(dir string, names Names, now func() time.Time) (*Ring, error) {
	return build(dir, &Ring{names: names, now: now})
}

// CreateMember makes the keys of a new node whose nation has its root elsewhere: until Join brings the nation's key log, which answers Requests, the node
// signs nothing for the nation.
func CreateMember(dir string, names Names, now func() time.Time) (*Ring, error) {
	return build(dir, &Ring{names: names, now: now, member: true})
}

func build(dir string, r *Ring) (*Ring, error) {
	names := r.names
	if names.Realm == "" {
		names.Realm = Operational
	}
	if err := names.check(); err != nil {
		return nil, err
	}
	final := filepath.Join(dir, folder)
	if _, err := os.Lstat(final); err == nil {
		return nil, fault.New(fault.Conflict, "keyring.exists", "%s already holds the keys of a node", final).Try("open it, or choose another directory")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, broken(err, "create", dir)
	}
	staging, err := os.MkdirTemp(dir, ".keys-") // 0700
	if err != nil {
		return nil, broken(err, "create keys in", dir)
	}
	defer os.RemoveAll(staging) // fails harmlessly once it has been renamed

	r.dir, r.names = staging, names
	if err := r.make(); err != nil {
		return nil, err
	}
	if err := os.Rename(staging, final); err != nil {
		return nil, broken(err, "put in place", final)
	}
	if err := disk.Sync(dir); err != nil {
		return nil, broken(err, "make durable", dir)
	}
	r.dir = final
	return r, nil
}

// Open reads the ring below dir/keys. It refuses files that others may read, a ring of another realm than the one asked for, and a
// ring whose files do not all belong to one realm. An empty realm is Operational.
func Open(dir, realm string, now func() time.Time) (*Ring, error) {
	if realm == "" {
		realm = Operational
	}
	r := &Ring{dir: filepath.Join(dir, folder), now: now}
	if err := checkFolder(r.dir); err != nil {
		return nil, err
	}
	var about ringFile
	if err := r.load("ring", realm, &about); err != nil {
		return nil, err
	}
	r.names, r.member = about.Names, about.Member
	if err := r.names.check(); err != nil {
		return nil, damaged(r.path("ring"), err)
	}
	if r.names.Realm != realm {
		return nil, damaged(r.path("ring"), nil)
	}
	for _, read := range []func() error{r.openOwn, r.openRoot, r.openSealing, r.openAuthority, r.openServer} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Names says whose ring it is.
func (r *Ring) Names() Names { return r.names }

// Realm is the realm of every key in the ring.
func (r *Ring) Realm() string { return r.names.Realm }

// Secret derives a secret of 32 bytes for one purpose, for example "credentials" or "store.lookup". The same purpose always gives
// the same secret; another purpose or realm gives an unrelated one (HKDF-SHA-256, RFC 5869).
func (r *Ring) Secret(purpose string) []byte {
	key, err := hkdf.Expand(sha256.New, r.root, "entente/secret/1\x00"+r.names.Realm+"\x00"+purpose, 32)
	if err != nil { // only for lengths beyond 255 hashes
		return nil
	}
	return key
}

// Pepper is the secret under which credentials and tokens are hashed.
func (r *Ring) Pepper() []byte { return r.Secret("pepper") }

func (r *Ring) make() error {
	if err := r.save("ring", ringFile{head: r.head("ring"), Names: r.names, Member: r.member}); err != nil {
		return err
	}
	if err := r.makeOwn(); err != nil {
		return err
	}
	r.root = random(32)
	if err := r.save("secret", secretFile{head: r.head("secret"), Secret: r.root}); err != nil {
		return err
	}
	if err := r.RotateSealing(); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fault.New(fault.Internal, "", "cannot make a key for the certificate authority").Because(err)
	}
	if err := r.makeAuthority(key, r.now().Add(-backdate)); err != nil {
		return err
	}
	return r.renewServer(r.names.Hosts)
}

func (r *Ring) openRoot() error {
	var f secretFile
	if err := r.load("secret", r.names.Realm, &f); err != nil {
		return err
	}
	if len(f.Secret) != 32 {
		return damaged(r.path("secret"), nil)
	}
	r.root = f.Secret
	return nil
}

// CAPool holds the node's certificate authority, for clients of this node.
func (r *Ring) CAPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.ca.cert)
	return pool
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: the process ends when the system has no randomness
	return b
}
