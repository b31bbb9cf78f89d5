package sensor

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/state"
	wire "entente/sensor"
)

// sync makes durable all that was taken. Before it nothing that was found is told, and no block is marked as read.
func (v *several) sync() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.active {
		return nil
	}
	if v.journal.due() {
		if err := v.cut(); err == nil || v.journal.stale {
			return err
		}
	}
	return v.journal.sync()
}

// cut writes down all that was seen, and begins another journal. The caller holds mu.
func (v *several) cut() error {
	began := time.Now()
	var id [16]byte
	rand.Read(id[:]) // crypto/rand never fails
	w, err := v.save(id[:])
	if err == nil {
		err = write(v.s.path(cutFile), w.Seal())
	}
	v.journal.next = time.Now().Add(cutShare * time.Since(began))
	if err != nil {
		return err
	}
	v.journal.stale = true
	if err := v.journal.restart(v.s.path(journalFile), id[:]); err != nil {
		return err
	}
	v.journal.stale, v.journal.cut = false, int64(w.Len())
	return nil
}

// save writes what a cut has. The caller holds mu.
func (v *several) save(id []byte) (*state.Writer, error) {
	w := &state.Writer{}
	w.Text(cutVersion)
	w.Data(id)
	w.Uint(v.s.index.Load())
	w.Uint(uint64(len(v.rested) + len(v.last)))
	for _, s := range v.rested {
		w.Text(s)
	}
	for s := range v.last {
		w.Text(s)
	}
	v.fed.prune(maxTaken)
	w.Uint(uint64(len(v.fed.order)))
	for _, t := range v.fed.order {
		w.Text(t.block)
		w.Uint(t.lines)
		over := uint64(0)
		if t.over {
			over = 1
		}
		w.Uint(over)
	}
	var part state.Writer
	if v.engine != nil {
		v.engine.Save(&part)
	}
	w.Data(part.Bytes())
	part.Reset()
	v.stream.Save(&part)
	w.Data(part.Bytes())
	untold := v.s.loose.take()
	w.Uint(uint64(len(untold)))
	for i := range untold {
		b, err := json.Marshal(&untold[i], json.Deterministic(true))
		if err != nil {
			return nil, fault.New(fault.Internal, "", "a report cannot be written").Because(err)
		}
		w.Data(b)
	}
	return w, nil
}

// restore goes on where the last cut and its journal are. After an error what there is is of no use. The caller holds mu.
func (v *several) restore() error {
	b, err := os.ReadFile(v.s.path(cutFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", cutFile, err)
	}
	id, err := v.load(b)
	if err == nil {
		err = v.replay(id)
	}
	if err != nil {
		return err
	}
	sources := v.rested
	for s := range v.last {
		sources = append(sources, s)
	}
	v.rested = nil
	if v.engine != nil {
		for _, s := range sources { // from each something may come that is before what others bring
			v.await(s)
		}
	}
	v.waits = v.engine != nil && v.engine.Stats().Waiting > 0
	return nil
}

// load takes what a cut has.
func (v *several) load(b []byte) (id []byte, err error) {
	r := state.Open(b)
	r.Expect(cutVersion)
	id = r.Data()
	v.reached(r.Uint())
	for n := r.Count(); n > 0; n-- {
		v.heard(r.Text())
	}
	for n := r.Count(); n > 0; n-- {
		block := r.Text()
		if v.fed.take(block, r.Uint()); r.Uint() == 1 {
			v.fed.done(block)
		}
	}
	engine, stream := r.Data(), r.Data()
	for n := r.Count(); n > 0; n-- {
		var report wire.Report
		b := r.Data()
		if r.Err() != nil {
			break
		}
		if err := json.Unmarshal(b, &report); err != nil {
			r.Fail("a report is none")
		}
		v.s.loose.add(report)
	}
	if r.End(); r.Err() != nil {
		return nil, r.Err()
	}
	if v.engine != nil && len(engine) > 0 {
		if err := v.engine.Load(state.NewReader(engine)); err != nil {
			return nil, err
		}
	}
	return id, v.stream.Load(state.NewReader(stream))
}

// reached lets events be numbered behind those of before.
func (v *several) reached(index uint64) {
	if v.s.index.Load() < index {
		v.s.index.Store(index)
	}
}

// replay takes again what stands in the journal of a cut. What is not written whole at its end is read again by the inputs.
func (v *several) replay(id []byte) error {
	f, err := os.Open(v.s.path(journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", journalFile, err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, len(logVersion)+len(id))
	if _, err := io.ReadFull(r, head); err != nil || !bytes.Equal(head, append([]byte(logVersion), id...)) {
		return nil // of another cut, and in this one
	}
	v.again(true)
	defer v.again(false)
	var entry []byte
	for {
		var head [8]byte
		_, err := io.ReadFull(r, head[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		n := int(binary.LittleEndian.Uint32(head[:]))
		if err == nil && n <= maxEntry {
			entry = slices.Grow(entry[:0], n)[:n]
			_, err = io.ReadFull(r, entry)
		}
		if err != nil || n > maxEntry || crc32.Checksum(entry, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			v.s.o.Log.Warn("the end of what correlations and patterns have seen was not written whole: inputs that can bring it again", "file", journalFile)
			return nil
		}
		if err := v.takeAgain(state.NewReader(entry)); err != nil {
			return err
		}
	}
}

func (v *several) again(on bool) {
	if v.engine != nil {
		v.engine.Again(on)
	}
	v.stream.Again(on)
}

// takeAgain takes one entry.
func (v *several) takeAgain(r *state.Reader) error {
	switch r.Uint() {
	case opBatch:
		return v.batchAgain(r)
	case opRest:
		source := r.Text()
		delete(v.last, source)
		if v.rested = append(v.rested, source); v.engine != nil {
			v.engine.Rest(source)
		}
	case opFlush:
		if v.engine != nil {
			v.engine.Flush()
		}
	case opOver:
		for n := r.Count(); n > 0; n-- {
			v.fed.done(r.Text())
		}
	default:
		r.Fail("an entry is of no kind")
	}
	r.End()
	return r.Err()
}

func (v *several) batchAgain(r *state.Reader) error {
	source, block, lines := r.Text(), r.Text(), r.Uint()
	v.reached(r.Uint())
	v.fed.take(block, lines)
	if r.Uint() == 1 {
		v.heard(source)
		log, newest := r.Data(), r.Int()
		if v.engine != nil && r.Err() == nil {
			if err := v.engine.AddAgain(state.NewReader(log), source); err != nil {
				return err
			}
			if newest != 0 {
				v.engine.Advance(source, time.Unix(0, newest))
			}
		}
	}
	if err := v.stream.TakeAgain(r, v.matched); err != nil {
		return err
	}
	r.End()
	return r.Err()
}

// stop makes durable what there is, and lets go of the files.
func (v *several) stop() error {
	err := v.sync()
	v.mu.Lock()
	defer v.mu.Unlock()
	return errors.Join(err, v.journal.close())
}

// forget removes what is on disk: there is nothing to find. The caller holds mu.
func (v *several) forget() error {
	return errors.Join(v.journal.close(), remove(v.s.path(cutFile), v.s.path(journalFile)))
}
