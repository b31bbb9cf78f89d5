package mispapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"entente/internal/fault"
	"entente/misp"
)

// spoolAbove is the size in bytes from which the body of an event is kept in a file rather than in memory.
const spoolAbove = 1 << 20

// spooled is a file that goes away at the latest when it is closed.
type spooled struct{ file *os.File }

func (s *spooled) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}

// spool writes a body to its end into a file, and says how many bytes it has. A large one waits for the seat.
func (c *call) spool(from io.Reader) (int64, error) {
	n, err := c.fill(from)
	if _, own := errors.AsType[*fs.PathError](err); own {
		return n, fault.New(fault.Full, "misp.spool", "there is no room to keep the event while it is read").Because(err)
	}
	return n, err
}

func (c *call) fill(from io.Reader) (int64, error) {
	dir := c.s.cfg.SpoolDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(dir, "misp-")
	if err != nil {
		return 0, err
	}
	c.spooled.file = f
	os.Remove(f.Name()) // where the system lets an open file go: a node that is killed leaves none
	n, err := io.Copy(f, io.LimitReader(from, smallBody+1))
	if err != nil || n <= smallBody {
		return n, err
	}
	if err := c.sit(); err != nil {
		return n, err
	}
	more, err := io.Copy(f, from)
	return n + more, err
}

// event is the one event of a body, all of which has been read.
func (c *call) event() (*intake, error) {
	file := c.spooled.file
	if file == nil && len(c.body) == 0 {
		return nil, fault.New(fault.Invalid, "misp.empty", "there is no event in the body")
	}
	limits := misp.Limits{Size: c.s.cfg.MaxBytes, Events: 1}
	return c.s.intake(c.s.orgs(), func(h misp.Handler) error {
		if file == nil {
			return misp.Read(bytes.NewReader(c.body), limits, h)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return misp.Read(bufio.NewReaderSize(file, 256<<10), limits, h)
	})
}
