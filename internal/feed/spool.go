package feed

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"entente/internal/fault"
)

// Document is what a feed has now, whole, in a file that goes away at the latest when it is closed.
type Document struct {
	*os.File
	Size         int64
	Digest       string // SHA-256 of the content
	ContentType  string
	ETag         string
	LastModified string
}

// Close also removes the file.
func (d *Document) Close() error { return errors.Join(d.File.Close(), remove(d.Name())) }

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// open brings a file of this machine into the spool, so that what is taken is one state of it.
func (c *Config) open(dir string) (*Document, error) {
	path := c.path(c.File)
	before, err := os.Stat(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "feed.file", "the feed's file cannot be read").Because(err)
	}
	if !before.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "feed.file", "%s is no file", c.File).At("file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.Forbidden, "feed.file", "the feed's file cannot be read").Because(err)
	}
	defer f.Close()
	d, err := spool(dir, f, c.Limits.Bytes)
	if err != nil {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		d.Close()
		return nil, fault.New(fault.Unavailable, "feed.file", "the feed's file changed while it was read; nothing of it was taken").Try("replace it by renaming a complete file over it")
	}
	return d, nil
}

// spool writes a stream to its end into a file, unpacked where it is a gzip file.
func spool(dir string, from io.Reader, limit int64) (*Document, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Full, "feed.spool", "the directory for downloads cannot be made").Because(err)
	}
	f, err := os.CreateTemp(dir, "feed-*")
	if err != nil {
		return nil, fault.New(fault.Full, "feed.spool", "no file can be made for the download").Because(err)
	}
	d := &Document{File: f}
	os.Remove(f.Name()) // where the system lets an open file go: a node that is killed leaves none
	b := bufio.NewReaderSize(from, 64<<10)
	var r io.Reader = b
	if magic, _ := b.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		r = rules.Unpack(io.NopCloser(b), limit)
	}
	sum := sha256.New()
	d.Size, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, limit+1))
	if err == nil && d.Size > limit {
		err = rules.TooLarge(limit)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		d.Close()
		var fe *fault.Error
		var pe *os.PathError
		switch {
		case errors.As(err, &fe):
			return nil, fe
		case errors.As(err, &pe):
			return nil, fault.New(fault.Full, "feed.spool", "the download cannot be written").Because(err)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, rules.Truncated(err)
		}
		return nil, rules.Wire(err)
	}
	d.Digest = hex.EncodeToString(sum.Sum(nil))
	return d, nil
}
