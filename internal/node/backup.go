package node

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	fast "github.com/klauspost/compress/flate"

	"entente/internal/blob"
	"entente/internal/build"
	"entente/internal/detect"
	"entente/internal/disk"
	"entente/internal/fault"
	"entente/internal/identity"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/internal/store/sqlite"
)

// A backup is a ZIP archive, written in one pass: what describes it, the configuration, the keys, and each database as one file. Its
// directory stands at its end, so that one that was cut off is told from a whole one.

// Made says what a backup is of.
type Made struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
	Version string    `json:"version"` // of the node that made it
	Nation  string    `json:"nation"`
	Org     string    `json:"org"`
	Realm   string    `json:"realm"`
}

const (
	backupFormat = 1
	aboutEntry   = "entente.json"
	storeEntry   = "store.sqlite"
	ledgerEntry  = "ledger.sqlite"
	detectEntry  = "detect.sqlite"
	keysPrefix   = "keys/"
	blobsPrefix  = "blobs/"
	maxKeyFile   = 16 << 20
	maxKeyFiles  = 256
	maxBlobFiles = 1 << 20
)

// Backup writes everything that a restore needs to w, consistent, while the node goes on.
func (n *Node) Backup(ctx context.Context, w io.Writer) error {
	names := n.ring.Names()
	about, err := json.Marshal(Made{Format: backupFormat, Created: n.cfg.Now().UTC(), Version: build.Version(), Nation: names.Nation, Org: names.Org, Realm: names.Realm})
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return fast.NewWriter(out, flate.BestSpeed) })
	put := func(name string, fill func(io.Writer) error) error {
		e, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: n.cfg.Now().UTC()})
		if err == nil {
			err = z.Flush() // whoever watches sees the part begin
		}
		if err != nil {
			return err
		}
		return fill(e)
	}
	text := func(b []byte) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(b); return err }
	}
	if err := put(aboutEntry, text(about)); err != nil {
		return err
	}
	if conf, err := os.ReadFile(filepath.Join(n.cfg.Data, ConfigFile)); err == nil {
		if err := put(ConfigFile, text(conf)); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	keys, err := os.ReadDir(filepath.Join(n.cfg.Data, "keys"))
	if err != nil {
		return err
	}
	for _, k := range keys {
		if !k.Type().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(n.cfg.Data, "keys", k.Name()))
		if err != nil {
			return err
		}
		if err := put(keysPrefix+k.Name(), text(b)); err != nil {
			return err
		}
	}
	// The node goes on between the copies, and each file must know no more than the one that follows. The ledger says how far partners' logs were read, and how far the journal was given: what it
	// lacks is read and given again, and what it had ahead of the store would be passed over for ever. What this node says stands in its log first and in a document then, so that the
	// documents, those of partners, accords and decisions, have whatever the log has. What sensors reported follows the store, which says it in sightings: so that a report that was said is known, and
	// does not count again. Blobs come last: whatever the store knows is there, but for what was removed meanwhile. The index is made
	// anew. Keys come before all: what was signed by a later one is asked back from partners. A purge reaches ledger and store alike, with orders to partners, and waits.
	done, err := n.exchange.Copying()
	if err != nil {
		return err
	}
	defer done()
	if err := put(ledgerEntry, func(w io.Writer) error { return n.ledger.Backup(ctx, w) }); err != nil {
		return err
	}
	if err := put(storeEntry, func(w io.Writer) error { return n.store.Backup(ctx, w, nil) }); err != nil {
		return err
	}
	if err := put(detectEntry, func(w io.Writer) error { return n.detection.Backup(ctx, w) }); err != nil {
		return err
	}
	return errors.Join(n.backupBlobs(ctx, z), z.Close())
}

// backupBlobs adds the files of blobs as they are: sealed, so that there is nothing to compress.
func (n *Node) backupBlobs(ctx context.Context, z *zip.Writer) error {
	return n.blobs.Files(ctx, func(name string, content io.Reader) error {
		e, err := z.CreateHeader(&zip.FileHeader{Name: blobsPrefix + name, Method: zip.Store, Modified: n.cfg.Now().UTC()})
		if err != nil {
			return err
		}
		_, err = io.Copy(e, content)
		return err
	})
}

// Restore makes a data directory from a backup of the realm (empty: operational), after checking the whole of it. A directory that holds anything is not touched.
func Restore(ctx context.Context, r io.ReaderAt, size int64, data, realm string) (made Made, err error) {
	damaged := func(why error) error {
		return fault.New(fault.Invalid, "backup.damaged", "this is not a whole backup of a node").Because(why).Try("use another copy of the backup")
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return made, damaged(err)
	}
	if made, err = readAbout(z); err != nil {
		return made, err
	}
	if realm == "" {
		realm = keyring.Operational
	}
	if made.Realm != realm {
		return made, fault.New(fault.Conflict, "backup.realm", "the backup is of the realm %q, not of %q", made.Realm, realm).By("nothing of one realm is opened in another").
			Try("name the realm with --realm, when it is the one that you mean")
	}
	if there, err := os.ReadDir(data); err == nil && len(there) > 0 {
		return made, fault.New(fault.Conflict, "data.used", "%s is not empty", data).Try("restore into a new directory, and move it into place")
	}
	parent := filepath.Dir(filepath.Clean(data))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return made, err
	}
	stage, err := os.MkdirTemp(parent, ".entente-restore-")
	if err != nil {
		return made, err
	}
	defer os.RemoveAll(stage) // fails harmlessly once it has been renamed
	if err := unpack(ctx, z, stage, made.Created); err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return made, err
		}
		return made, damaged(err)
	}
	if _, err := keyring.Open(stage, made.Realm, time.Now); err != nil {
		return made, damaged(err)
	}
	if err := claimRestored(stage, made.Realm); err != nil {
		return made, damaged(err)
	}
	if err := dropSessions(ctx, stage); err != nil {
		return made, damaged(err)
	}
	if err := os.Remove(data); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty directory
		return made, err
	}
	if err := os.Rename(stage, data); err != nil {
		return made, err
	}
	return made, disk.Sync(parent)
}

// unpackLedger restores the audience logs. Those of this node end there: what it gives from now on goes out in new ones.
func unpackLedger(ctx context.Context, f *zip.File, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	return errors.Join(ledger.Restore(ctx, in, dir), in.Close())
}

// dropSessions lets nobody be signed in to what was restored.
func dropSessions(ctx context.Context, data string) (err error) {
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(data, storeFolder)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return identity.DropSessions(ctx, db)
}

func readAbout(z *zip.Reader) (made Made, err error) {
	f, err := z.Open(aboutEntry)
	if err != nil {
		return made, fault.New(fault.Invalid, "backup.damaged", "this is not a backup of a node").Because(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err == nil {
		err = json.Unmarshal(b, &made)
	}
	if err != nil {
		return made, fault.New(fault.Invalid, "backup.damaged", "this is not a backup of a node").Because(err)
	}
	if made.Format != backupFormat {
		return made, fault.New(fault.Invalid, "backup.format", "the backup has format %d, this build knows %d", made.Format, backupFormat).
			Try("restore it with entente " + made.Version)
	}
	return made, nil
}

// unpackReports restores what sensors reported.
func unpackReports(ctx context.Context, f *zip.File, dir string, created time.Time) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	return errors.Join(detect.Restore(ctx, in, dir, created), in.Close())
}

// unpack writes the parts of a backup that was begun at a time to an empty directory. Only what a backup is made of is taken.
func unpack(ctx context.Context, z *zip.Reader, dir string, created time.Time) error {
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		return err
	}
	stored := false
	if len(z.File) > maxKeyFiles+maxBlobFiles {
		return fault.New(fault.Invalid, "backup.damaged", "the archive has too many parts for a backup")
	}
	for _, f := range z.File {
		if name, ok := strings.CutPrefix(f.Name, blobsPrefix); ok && blob.IsFile(name) {
			if err := unpackBlob(f, filepath.Join(dir, blobFolder), name); err != nil {
				return err
			}
			continue
		}
		switch name, isKey := strings.CutPrefix(f.Name, keysPrefix); {
		case f.Name == aboutEntry:
		case f.Name == storeEntry:
			if err := os.Mkdir(filepath.Join(dir, storeFolder), 0o700); err != nil {
				return err
			}
			in, err := f.Open()
			if err != nil {
				return err
			}
			err = sqlite.Restore(ctx, in, filepath.Join(dir, storeFolder))
			if err = errors.Join(err, in.Close()); err != nil {
				return err
			}
			stored = true
		case f.Name == ledgerEntry:
			if err := unpackLedger(ctx, f, filepath.Join(dir, ledgerFolder)); err != nil {
				return err
			}
		case f.Name == detectEntry:
			if err := unpackReports(ctx, f, filepath.Join(dir, detectFolder), created); err != nil {
				return err
			}
		case f.Name == ConfigFile, isKey && name == filepath.Base(name) && name != "." && name != "..":
			if err := unpackSmall(f, filepath.Join(dir, filepath.FromSlash(f.Name))); err != nil {
				return err
			}
		default:
			return fault.New(fault.Invalid, "backup.damaged", "the archive holds %q, which is no part of a backup", f.Name)
		}
	}
	if !stored {
		return fault.New(fault.Invalid, "backup.damaged", "the archive holds no store")
	}
	return nil
}

// unpackBlob writes the file of one blob.
func unpackBlob(f *zip.File, dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, blob.LargestFile+1))
	if err == nil && n > blob.LargestFile {
		err = fault.New(fault.Invalid, "backup.damaged", "%q is too long", f.Name)
	}
	return errors.Join(err, out.Sync(), out.Close())
}

func unpackSmall(f *zip.File, path string) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(in, maxKeyFile+1)); err != nil {
		return err
	}
	if b.Len() > maxKeyFile {
		return fault.New(fault.Invalid, "backup.damaged", "%q is too long", f.Name)
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return errors.Join(err, out.Sync(), out.Close())
}

// Schema is the newest schema of the store that this program knows.
func Schema() int { return sqlite.Schema() }

// Downgrade takes the store of a stopped node back to an older schema, so that an older program can open it.
func Downgrade(data string, schema int) error {
	return sqlite.Downgrade(filepath.Join(data, storeFolder), schema)
}
