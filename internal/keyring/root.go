package keyring

import (
	"io"
	"os"
	"strconv"

	"entente/dsse"
	"entente/internal/disk"
	"entente/internal/fault"
	"entente/keylog"
)

// HasRoot tells whether the nation's root is at this node, so that it can sign statements.
func (r *Ring) HasRoot() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.rootKey()
	return err == nil
}

// rootKey is the nation's root where it is one key and at this node. It is in memory only while it signs.
func (r *Ring) rootKey() (*dsse.Private, error) {
	elsewhere := fault.New(fault.Conflict, "keyring.root", "the nation's root key is not at this node").By("only the root signs statements of the key log")
	if r.log != nil && r.log.Size() > 0 {
		if root := r.log.State().Root; root.Need > 1 {
			return nil, fault.New(fault.Conflict, "keyring.root", "the nation's root is in several hands: %d of %d must sign", root.Need, len(root.Keys)).By("only the root signs statements of the key log").
				Try("draft the statement from this node's key log, have the holders sign it, and bring it back: entente key root draft, entente key join")
		}
	}
	if !r.exists("root") {
		return nil, elsewhere.Try("bring " + r.path("root") + " back for as long as it is needed, or have the statement signed where the root is: entente key root draft")
	}
	key, err := r.rootFile()
	if err != nil {
		return nil, err
	}
	if r.log != nil && r.log.Size() > 0 && !r.isRoot(key) {
		return nil, elsewhere.Try("the key in " + r.path("root") + " is one that was replaced: destroy it")
	}
	return key, nil
}

func (r *Ring) isRoot(key *dsse.Private) bool {
	for _, k := range r.log.State().Root.Keys {
		if k.ID() == key.Key().ID() {
			return true
		}
	}
	return false
}

func (r *Ring) rootFile() (*dsse.Private, error) {
	var f secretFile
	if err := r.load("root", r.names.Realm, &f); err != nil {
		return nil, err
	}
	key, err := dsse.FromSeed(f.Secret)
	if err != nil || !key.Key().Hybrid() {
		return nil, damaged(r.path("root"), nil)
	}
	return key, nil
}

// MaxHolders is how many holders a root has at most.
const MaxHolders = keylog.MaxRoots

// NewRoot makes the keys of a root, one for each holder, of which so many must sign.
func NewRoot(need, count int) (*keylog.Root, []*dsse.Private, error) {
	if count < 1 || count > MaxHolders || need < 1 || need > count {
		return nil, nil, fault.New(fault.Invalid, "key.root", "a root of %d of %d keys cannot be", need, count).By("1 to " + strconv.Itoa(MaxHolders) + " keys, of which at least one and at most all must sign")
	}
	root := &keylog.Root{Need: need}
	var private []*dsse.Private
	for range count {
		k, err := dsse.Generate(true)
		if err != nil {
			return nil, nil, fault.New(fault.Internal, "", "cannot make a root key").Because(err)
		}
		root.Keys, private = append(root.Keys, k.Key()), append(private, k)
	}
	return root, private, nil
}

// ExportRoot moves the nation's root out of the node: it is written to the file, which must not be there, read back, and only then removed here.
func (r *Ring) ExportRoot(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.rootKey(); err != nil {
		return err
	}
	b, err := readPrivate(r.path("root"))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return broken(err, "write", path)
	}
	defer f.Close()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	var again []byte
	if err == nil {
		again, err = io.ReadAll(f)
	}
	if err != nil || string(again) != string(b) {
		return broken(err, "write", path)
	}
	if err := os.Remove(r.path("root")); err != nil {
		return broken(err, "remove", r.path("root"))
	}
	return disk.Sync(r.dir)
}
