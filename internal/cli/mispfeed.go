package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"entente/internal/surface/api"
	"entente/misp"
)

// exportFeed writes the events of an export as a MISP feed. The manifest comes last: who reads the directory meanwhile has the old one.
func (a *app) exportFeed(ctx context.Context, n *api.Client, q url.Values, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f := &feedDir{dir: dir, manifest: map[string]misp.ManifestEntry{}}
	defer f.drop()
	if f.before, _ = f.read(); f.before == nil {
		if others, err := os.ReadDir(dir); err != nil || len(others) > 0 {
			return errors.Join(err, usage("%s holds something else than a MISP feed: name an empty directory", dir))
		}
	}
	if _, err := n.Export(ctx, q, f); err != nil {
		return err
	}
	if err := f.finish(); err != nil {
		return err
	}
	a.say("%s events with %s values written to %s", count(int64(len(f.manifest))), count(f.values), dir)
	return nil
}

// feedDir takes events, one per line, and makes files of them.
type feedDir struct {
	dir      string
	before   map[string]misp.ManifestEntry // of the feed that was there
	manifest map[string]misp.ManifestEntry
	hashes   *os.File
	values   int64

	event *os.File // the one under way
	sum   hash.Hash
}

func (f *feedDir) read() (map[string]misp.ManifestEntry, error) {
	raw, err := os.ReadFile(filepath.Join(f.dir, "manifest.json"))
	if err != nil {
		return nil, err
	}
	return misp.ParseManifest(raw)
}

// Write takes the next bytes of the lines.
func (f *feedDir) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		line, rest, ends := bytes.Cut(p, []byte{'\n'})
		if f.event == nil && len(line) > 0 {
			var err error
			if f.event, err = os.CreateTemp(f.dir, ".event-"); err != nil {
				return 0, err
			}
			f.sum = sha256.New()
		}
		if f.event != nil {
			f.sum.Write(line)
			if _, err := f.event.Write(line); err != nil {
				return 0, err
			}
		}
		if ends && f.event != nil {
			if err := f.settle(); err != nil {
				return 0, err
			}
		}
		p = rest
	}
	return n, nil
}

// settle gives the event at hand its name, and what the listings say of it.
func (f *feedDir) settle() error {
	if f.hashes == nil {
		var err error
		if f.hashes, err = os.CreateTemp(f.dir, ".hashes-"); err != nil {
			return err
		}
	}
	if _, err := f.event.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var head *misp.Event
	var lines []byte
	seen := map[string]bool{}
	add := func(e *misp.Event) error {
		for line := range bytes.Lines(misp.AppendHashes(nil, e)) {
			if md5 := string(line[:32]); !seen[md5] {
				seen[md5] = true
				lines = append(lines, md5...)
				lines = append(lines, '\n')
			}
		}
		return nil
	}
	err := misp.Read(f.event, misp.Limits{}, misp.Handler{
		Attribute: func(a *misp.Attribute) error { return add(&misp.Event{Attributes: misp.List[misp.Attribute]{*a}}) },
		Object:    func(o *misp.Object) error { return add(&misp.Event{Objects: misp.List[misp.Object]{*o}}) },
		Event:     func(e *misp.Event) error { head = e; return nil },
	})
	if err != nil {
		return err
	}
	if head == nil || misp.UUID(head.UUID) != head.UUID {
		return fmt.Errorf("the node gave an event without a uuid")
	}
	for md5 := range bytes.Lines(lines) {
		if _, err := fmt.Fprintf(f.hashes, "%s,%s\n", bytes.TrimSuffix(md5, []byte{'\n'}), head.UUID); err != nil {
			return err
		}
		f.values++
	}
	entry := head.Entry(nil)
	entry.SHA256 = hex.EncodeToString(f.sum.Sum(nil))
	f.manifest[head.UUID] = entry
	event := f.event
	f.event = nil
	return place(event, filepath.Join(f.dir, head.UUID+".json"))
}

// place gives a whole file its name.
func place(f *os.File, name string) error {
	err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// finish writes the listings, and takes away the events of the feed before that are not in it any more.
func (f *feedDir) finish() error {
	if f.event != nil {
		return fmt.Errorf("the export broke off in the middle of an event")
	}
	hashes := f.hashes
	if f.hashes = nil; hashes == nil {
		var err error
		if hashes, err = os.CreateTemp(f.dir, ".hashes-"); err != nil {
			return err
		}
	}
	if err := place(hashes, filepath.Join(f.dir, "hashes.csv")); err != nil {
		return err
	}
	raw, err := misp.MarshalManifest(f.manifest)
	if err != nil {
		return err
	}
	manifest, err := os.CreateTemp(f.dir, ".manifest-")
	if err != nil {
		return err
	}
	if _, err := manifest.Write(raw); err != nil {
		return errors.Join(err, manifest.Close(), os.Remove(manifest.Name()))
	}
	if err := place(manifest, filepath.Join(f.dir, "manifest.json")); err != nil {
		return err
	}
	for id := range f.before {
		if _, stays := f.manifest[id]; !stays {
			if err := os.Remove(filepath.Join(f.dir, id+".json")); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// drop takes away what was not finished.
func (f *feedDir) drop() {
	for _, one := range []*os.File{f.event, f.hashes} {
		if one != nil {
			one.Close()
			os.Remove(one.Name())
		}
	}
}
