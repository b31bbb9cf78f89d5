package sqlite

import (
	"errors"
	"sync"

	"github.com/go-json-experiment/json"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/label"
)

const (
	maxLabels    = 65536 // marks, from id 1
	keptScopes   = 512   // admitted sets kept
	maxColls     = 65535
	maxCollName  = 512
	labelBits    = 17
	typeHashBits = 30
)

// marks are the interned marks, all in memory: ids index list.
type marks struct {
	mu    sync.RWMutex
	list  []record.Mark // by id; 0 is unused
	ids   map[record.Mark]uint32
	cache map[string]*admitted
	undos int // how often marks were taken back
}

// admitted is what one scope may have of the first n marks. It is immutable.
type admitted struct {
	n      int
	has    []bool
	closed []bool // those whose records are had only together with what they name
	list   []uint32
}

type storedMark struct {
	Label  label.Label `json:"label"`
	Nation string      `json:"nation"`
	Org    string      `json:"org"`
}

func packMark(m record.Mark) ([]byte, error) {
	return json.Marshal(storedMark(m))
}

func unpackMark(b []byte) (record.Mark, error) {
	var s storedMark
	err := json.Unmarshal(b, &s)
	return record.Mark(s), err
}

func timeless(m record.Mark) record.Mark {
	m.Label = m.Label.Timeless()
	return m
}

func (ms *marks) mark(id uint32) record.Mark {
	ms.mu.RLock()
	defer ms.mu.RUnlock()
	if int(id) < len(ms.list) {
		return ms.list[id]
	}
	return record.Mark{}
}

func (ms *marks) id(m record.Mark) (uint32, bool) {
	ms.mu.RLock()
	defer ms.mu.RUnlock()
	id, ok := ms.ids[m]
	return id, ok
}

func (ms *marks) len() int {
	ms.mu.RLock()
	defer ms.mu.RUnlock()
	return len(ms.list)
}

// add gives a mark the next id. Only the writer calls it.
func (ms *marks) add(m record.Mark) (uint32, error) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if len(ms.list) >= maxLabels {
		return 0, fault.New(fault.Full, "store.labels", "the store already holds %d different labels", maxLabels-1).
			Try("purge records under labels no longer needed, or use fewer distinct audiences")
	}
	id := uint32(len(ms.list))
	ms.list = append(ms.list, m)
	ms.ids[m] = id
	return id, nil
}

// truncate takes back the marks from id n on, whose transaction failed.
func (ms *marks) truncate(n int) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if n == len(ms.list) {
		return
	}
	for _, m := range ms.list[n:] {
		delete(ms.ids, m)
	}
	ms.list = append([]record.Mark(nil), ms.list[:n]...)
	clear(ms.cache)
	ms.undos++
}

// forget makes an id that no record has any more unusable until the store is opened again.
func (ms *marks) forget(id uint32) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.ids, ms.list[id])
}

// admitted is the set of marks that a scope admits.
func (ms *marks) admitted(scope gate.Scope) *admitted {
	key := scope.Key()
	ms.mu.RLock()
	a, list, undos := ms.cache[key], ms.list, ms.undos
	ms.mu.RUnlock()
	if a != nil && a.n >= len(list) {
		return a
	}
	next := &admitted{n: len(list), has: make([]bool, len(list)), closed: make([]bool, len(list))}
	from := 1
	if a != nil {
		copy(next.has, a.has)
		copy(next.closed, a.closed)
		next.list = append(next.list, a.list...)
		from = a.n
	}
	for id := max(from, 1); id < len(list); id++ {
		if scope.Admits(list[id]) {
			next.has[id] = true
			next.closed[id] = scope.Closes(list[id])
			next.list = append(next.list, uint32(id))
		}
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.undos != undos {
		return next // marks were taken back meanwhile: no record has them
	}
	if len(ms.cache) >= keptScopes {
		for k := range ms.cache {
			delete(ms.cache, k)
			break
		}
	}
	ms.cache[key] = next
	return next
}

func (a *admitted) admits(id uint32) bool { return int(id) < len(a.has) && a.has[id] }

func (a *admitted) closes(id uint32) bool { return int(id) < len(a.closed) && a.closed[id] }

func newMarks() *marks {
	return &marks{list: make([]record.Mark, 1), ids: map[record.Mark]uint32{}, cache: map[string]*admitted{}}
}

// load reads the table. An id without a row was forgotten: no record has it, and nobody is admitted to it.
func (ms *marks) load(c *zs.Conn) error {
	return lite.Exec(c, "SELECT id, mark FROM label ORDER BY id", func(st *zs.Stmt) error {
		id := int(st.ColumnInt64(0))
		m, err := unpackMark(lite.Blob(st, 1))
		if err != nil || id < len(ms.list) || id >= maxLabels {
			return errors.Join(errMark, err)
		}
		for len(ms.list) < id {
			ms.list = append(ms.list, record.Mark{})
		}
		ms.list = append(ms.list, m)
		ms.ids[m] = uint32(id)
		return nil
	})
}

var errMark = errors.New("a stored label is damaged")
