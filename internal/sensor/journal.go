package sensor

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"entente/internal/disk"
	"entente/internal/state"
)

// The files of what several events make together: a cut, which is all that was seen at a moment, and the journal of what came since. A journal begins with the number of the cut
// that it belongs to.
const (
	cutFile     = "several.state"
	journalFile = "several.log"
	cutVersion  = "entente several 1"
	logVersion  = "entente several log 1\n"

	minJournal = 8 << 20  // bytes of a journal, or as many as the cut has: when there are more, another cut is made
	maxJournal = 1 << 30  // bytes of a journal, with which a cut is made whatever it costs
	maxBehind  = 4 << 20  // bytes that are not written yet
	maxEntry   = 64 << 20 // bytes of an entry
	cutShare   = 20       // of the time that passes, one part at most goes into making cuts
)

// What stands in a journal.
const (
	opBatch = iota + 1 // lines of a block, with what is to be taken from them
	opRest             // a source from which nothing comes
	opFlush            // what waits is evaluated
	opOver             // blocks are marked as read
)

// journal is the end of what was seen, on disk. It belongs to who holds the lock of several.
type journal struct {
	f     *os.File
	op    state.Writer
	buf   []byte    // what is not written
	size  int64     // what is
	dirty bool      // something of it is not durable
	cut   int64     // bytes of the cut
	next  time.Time // no other before
	stale bool      // it does not lead to what there is: nothing is durable before another cut is made
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// begin begins an entry.
func (j *journal) begin(kind uint64) *state.Writer {
	j.op.Reset()
	j.op.Uint(kind)
	return &j.op
}

// end puts the entry into the journal.
func (j *journal) end() {
	if j.stale {
		return
	}
	b := j.op.Bytes()
	if len(b) > maxEntry {
		j.stale = true
		return
	}
	j.buf = binary.LittleEndian.AppendUint32(j.buf, uint32(len(b)))
	j.buf = binary.LittleEndian.AppendUint32(j.buf, crc32.Checksum(b, castagnoli))
	j.buf = append(j.buf, b...)
	if len(j.buf) > maxBehind && j.write() != nil {
		j.stale = true // which is told when it matters
	}
}

// write gives the system what is gathered.
func (j *journal) write() error {
	if len(j.buf) == 0 {
		return nil
	}
	n, err := j.f.Write(j.buf)
	j.size += int64(n)
	j.dirty, j.buf = true, j.buf[:0]
	if err != nil {
		j.stale = true
		return fmt.Errorf("keeping what several events make together: %w", err)
	}
	return nil
}

// sync makes durable what is in the journal.
func (j *journal) sync() error {
	if err := j.write(); err != nil || !j.dirty {
		return err
	}
	if err := j.f.Sync(); err != nil {
		j.stale = true
		return fmt.Errorf("keeping what several events make together: %w", err)
	}
	j.dirty = false
	return nil
}

// due tells whether another cut is to be made.
func (j *journal) due() bool {
	size := j.size + int64(len(j.buf))
	return j.stale || size > maxJournal || size > max(minJournal, j.cut) && !time.Now().Before(j.next)
}

// restart begins the journal of a cut.
func (j *journal) restart(path string, id []byte) error {
	j.buf, j.size, j.dirty = nil, 0, false
	var err error
	if j.f == nil {
		if j.f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err == nil {
			err = disk.Sync(filepath.Dir(path))
		}
	}
	if err == nil {
		err = j.f.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("keeping what several events make together: %w", err)
	}
	j.buf = append(append(j.buf, logVersion...), id...)
	return nil
}

func (j *journal) close() error {
	if j.f == nil {
		return nil
	}
	f := j.f
	j.f = nil
	return f.Close()
}
