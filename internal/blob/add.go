package blob

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"mime"
	"net/http"
	"os"
	"time"

	"entente/internal/disk"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// Upload says what a sender says of its file.
type Upload struct {
	Name      string
	MediaType string       // as the sender claims it; what cannot be read is left out
	Label     *label.Label // nil: RED, for the sender's organisation
	Sample    bool         // malware. A program is a sample in any case
	Via       string       // how it came: "api"
}

// Add stores what r holds, for the holder of the scope, and tells whether it was new: what its organisation has sent before under the
// same label is there already, and stays as it is. Nothing is kept of what cannot be read to its end.
func (s *Store) Add(ctx context.Context, scope gate.Scope, u Upload, r io.Reader) (b Blob, added bool, err error) {
	e, err := s.begin(scope, u)
	if err != nil {
		return b, false, err
	}
	party := scope.Viewer().Party()
	if err := s.use.begin(e.File, party); err != nil {
		s.use.end(e.File, false)
		return b, false, err
	}
	written := false
	defer func() {
		if !written {
			os.Remove(s.path(e.File + partial)) // what cannot be removed now, Sweep will
			s.use.end(e.File, false)
		}
	}()
	if err := s.write(ctx, e, r); err != nil {
		return b, false, err
	}
	if e.ID, err = s.vault.id(&e.Blob); err != nil {
		return b, false, fault.New(fault.Invalid, "label.invalid", "this is no label").Because(err)
	}
	written = true // commit ends the upload
	return s.commit(ctx, e)
}

func (s *Store) begin(scope gate.Scope, u Upload) (*entry, error) {
	v := scope.Viewer()
	if v.Org == "" {
		return nil, fault.New(fault.Forbidden, "blob.nobody", "a blob is somebody's")
	}
	l := label.For(label.Red)
	if u.Label != nil {
		l = *u.Label
	}
	here := label.Bottom() // a blob takes the mode of the realm that it comes in by
	here.Mode = label.Mode(s.cfg.Realm)
	now := s.cfg.Now().UTC().Truncate(time.Microsecond)
	e := &entry{File: randomName(), Key: make([]byte, keySize), Blob: Blob{
		Name: SafeName(u.Name), Claimed: mediaType(u.MediaType), Sample: u.Sample, Label: label.Join(l, here), Added: now,
		Origin: record.Origin{Nation: v.Nation, Org: v.Org, Person: v.Person, Via: u.Via},
	}}
	if !e.Label.NotAfter.IsZero() && !now.Before(e.Label.NotAfter) {
		return nil, fault.New(fault.Invalid, "label.over", "the retention of this label is over").At("label")
	}
	rand.Read(e.Key)
	return e, nil
}

// mediaType is a media type without its parameters, or nothing.
func mediaType(s string) string {
	m, _, err := mime.ParseMediaType(s)
	if err != nil || len(m) > maxMedia {
		return ""
	}
	return m
}

// write seals the content into a file that is not yet in its place.
func (s *Store) write(ctx context.Context, e *entry, r io.Reader) (err error) {
	s.cfg.step("begin")
	f, err := os.OpenFile(s.path(e.File+partial), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return diskFault("making a file", err)
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			err = diskFault("writing a file", closed)
		}
	}()
	sealed, err := newSealer(f, e.Key)
	if err != nil {
		return diskFault("writing a file", err)
	}
	in := &intake{ctx: ctx, s: s, e: e, sealed: sealed, sum: sha256.New()}
	if _, err := io.CopyBuffer(in, struct{ io.Reader }{r}, make([]byte, chunkSize)); err != nil {
		var fe *fault.Error
		switch {
		case in.err != nil:
			return in.err
		case errors.As(err, &fe):
			return err
		case ctx.Err() != nil:
			return fault.As(ctx.Err())
		}
		return fault.New(fault.Invalid, "body.read", "the file did not come to its end: nothing of it was stored").Because(err).Try("send it again")
	}
	if err := sealed.Close(); err != nil {
		return diskFault("writing a file", err)
	}
	s.cfg.step("written")
	if err := f.Sync(); err != nil {
		return diskFault("writing a file", err)
	}
	s.cfg.step("synced")
	e.SHA256 = hex.EncodeToString(in.sum.Sum(nil))
	e.Sniffed = mediaType(http.DetectContentType(in.first))
	e.Sample = e.Sample || isProgram(in.first)
	return nil
}

// intake is what the bytes of an upload go through.
type intake struct {
	ctx    context.Context
	s      *Store
	e      *entry
	sealed *sealer
	sum    hash.Hash
	first  []byte
	err    error // of ours; what else ends the copying is the sender's
}

const sniffed = 512 // bytes that the media type is told by

func (in *intake) Write(b []byte) (n int, err error) {
	defer func() { in.err = err }()
	n = len(b)
	if err := in.ctx.Err(); err != nil {
		return 0, fault.As(err)
	}
	if in.e.Size+int64(n) > in.s.cfg.MaxBytes {
		return 0, tooLarge(in.s.cfg.MaxBytes)
	}
	if err := in.s.use.take(in.e.File, amount{0, int64(n)}); err != nil {
		return 0, err
	}
	in.e.Size += int64(n)
	in.first = append(in.first, b[:min(n, sniffed-len(in.first))]...)
	in.sum.Write(b)
	in.e.CRC32 = crc32.Update(in.e.CRC32, crc32.IEEETable, b)
	if _, err := in.sealed.Write(b); err != nil {
		return 0, diskFault("writing a file", err)
	}
	return n, nil
}

// commit puts a complete file in its place and its document in the store, unless the blob is there.
func (s *Store) commit(ctx context.Context, e *entry) (b Blob, added bool, err error) {
	ctx = context.WithoutCancel(ctx) // from here on it is done or not, whether or not the sender waits
	defer s.lock(e.ID)()
	s.changing.RLock()
	defer s.changing.RUnlock()
	kept := false
	defer func() { s.use.end(e.File, kept) }()

	part, final := s.path(e.File+partial), s.path(e.File)
	had, err := s.find(ctx, e.ID)
	switch {
	case err == nil && s.holds(had):
		os.Remove(part)
		return had.Blob, false, nil
	case err == nil: // its file was lost or cut short: this one is as good
		e.version = had.version
	case fault.Of(err) != fault.NotFound:
		os.Remove(part)
		return b, false, err
	}
	if err := os.Rename(part, final); err != nil {
		os.Remove(part)
		return b, false, diskFault("putting a file in its place", err)
	}
	s.cfg.step("renamed")
	if err := disk.Sync(s.cfg.Dir); err != nil {
		os.Remove(final)
		return b, false, diskFault("putting a file in its place", err)
	}
	s.cfg.step("durable")
	sealed, err := s.vault.seal(e)
	if err == nil {
		err = s.db.PutDocs(ctx, store.Act{Actor: e.Origin.Org + "/" + e.Origin.Person, Verb: "blob.add", Target: e.ID},
			store.Doc{Kind: docBlob, Key: e.ID, Value: sealed, Version: e.version, Expires: e.Label.NotAfter})
	}
	s.cfg.step("committed")
	if err != nil {
		now, look := s.find(ctx, e.ID)
		switch {
		case look == nil && now.File == e.File: // it was committed after all
		case look == nil, fault.Of(look) == fault.NotFound:
			os.Remove(final)
			return b, false, err
		default: // who knows: the next Sweep does
			return b, false, err
		}
	}
	kept = true
	if had != nil {
		s.use.gone(&had.Blob)
		s.index.drop(&had.Blob)
		os.Remove(s.path(had.File))
	}
	s.index.put(&e.Blob)
	return e.Blob, true, nil
}

// holds tells whether the file of an entry is there in its full length.
func (s *Store) holds(e *entry) bool {
	info, err := os.Stat(s.path(e.File))
	return err == nil && info.Mode().IsRegular() && info.Size() == sealedSize(e.Size)
}

// sealedSize is the length of the container of so many bytes.
func sealedSize(size int64) int64 {
	return int64(len(head)) + size + max(1, (size+chunkSize-1)/chunkSize)*chunkMore
}
