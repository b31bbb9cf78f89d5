package sqlite

import (
	"sync"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

// collections are the interned names. 0 is the whole store.
type collections struct {
	mu    sync.RWMutex
	ids   map[string]int64
	names map[int64]string
	next  int64
}

func (cs *collections) load(c *zs.Conn) error {
	cs.ids, cs.names = map[string]int64{}, map[int64]string{}
	return lite.Exec(c, "SELECT id, name FROM collection", func(st *zs.Stmt) error {
		id, name := st.ColumnInt64(0), st.ColumnText(1)
		cs.ids[name], cs.names[id] = id, name
		cs.next = max(cs.next, id+1)
		return nil
	})
}

func (cs *collections) id(name string) (int64, bool) {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	id, ok := cs.ids[name]
	return id, ok
}

func (cs *collections) name(id int64) string {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.names[id]
}

// add gives a name the next id. Only the writer calls it.
func (cs *collections) add(name string) (int64, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.next > maxColls {
		return 0, fault.New(fault.Full, "store.collections", "the store already holds %d collections", maxColls)
	}
	id := cs.next
	cs.next++
	cs.ids[name], cs.names[id] = id, name
	return id, nil
}

// truncate takes back the names from id next on, whose transaction failed.
func (cs *collections) truncate(next int64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for ; cs.next > next; cs.next-- {
		delete(cs.ids, cs.names[cs.next-1])
		delete(cs.names, cs.next-1)
	}
}

// size is the next id.
func (cs *collections) size() int64 {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.next
}
