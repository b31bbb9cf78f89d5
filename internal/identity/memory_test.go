package identity

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/internal/fault"
	"entente/internal/store"
)

// memory keeps documents as a store does: all or nothing, versions checked, expired ones gone.
type memory struct {
	now func() time.Time

	mu    sync.Mutex
	docs  map[string]store.Doc
	acts  []store.Act
	reads int
	broke error // when set, every call fails with it
}

func newMemory(now func() time.Time) *memory { return &memory{now: now, docs: map[string]store.Doc{}} }

func (m *memory) get(kind, key string) (store.Doc, bool) {
	d, ok := m.docs[kind+"\x00"+key]
	if ok && !d.Expires.IsZero() && !m.now().Before(d.Expires) {
		return store.Doc{}, false
	}
	return d, ok
}

func (m *memory) PutDocs(_ context.Context, act store.Act, docs ...store.Doc) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broke != nil {
		return m.broke
	}
	for _, d := range docs {
		if old, _ := m.get(d.Kind, d.Key); d.Version >= 0 && old.Version != d.Version {
			return fault.New(fault.Conflict, "doc.version", "another version is there")
		}
	}
	for _, d := range docs {
		old, _ := m.get(d.Kind, d.Key)
		if d.Value == nil {
			delete(m.docs, d.Kind+"\x00"+d.Key)
			continue
		}
		d.Version = old.Version + 1
		m.docs[d.Kind+"\x00"+d.Key] = d
	}
	m.acts = append(m.acts, act)
	return nil
}

func (m *memory) Doc(_ context.Context, kind, key string) (store.Doc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.broke != nil {
		return store.Doc{}, m.broke
	}
	d, ok := m.get(kind, key)
	if !ok {
		return store.Doc{}, fault.New(fault.NotFound, "doc.unknown", "no such document")
	}
	return d, nil
}

func (m *memory) Docs(_ context.Context, kind, after string, limit int) ([]store.Doc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broke != nil {
		return nil, m.broke
	}
	var out []store.Doc
	for _, d := range m.docs {
		if _, alive := m.get(d.Kind, d.Key); alive && d.Kind == kind && d.Key > after {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b store.Doc) int { return strings.Compare(a.Key, b.Key) })
	return out[:min(len(out), limit)], nil
}

// everything is all that is stored and journaled, for a search.
func (m *memory) everything() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for k, d := range m.docs {
		b.WriteString(k + string(d.Value) + "\n")
	}
	for _, a := range m.acts {
		b.WriteString(a.Actor + " " + a.Verb + " " + a.Target + " " + a.Detail + "\n")
	}
	return b.String()
}

func (m *memory) lastAct() store.Act {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acts[len(m.acts)-1]
}
