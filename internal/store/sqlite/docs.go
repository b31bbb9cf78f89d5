package sqlite

import (
	"context"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/lite"
	"entente/internal/store"
)

// Limits of documents.
const (
	maxDocs     = 10_000 // of one write or read
	maxDocBytes = 16 << 20
	maxDocKey   = 1024
)

// PutDocs implements store.Store.
func (s *Store) PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error {
	size := 0
	for i := range docs {
		size += len(docs[i].Value)
	}
	return s.do(ctx, &job{bytes: size, run: func(t *tx) error {
		if err := t.putDocs(docs); err != nil {
			return err
		}
		return t.act(act)
	}})
}

func (t *tx) putDocs(docs []store.Doc) error {
	if len(docs) > maxDocs {
		return fault.New(fault.TooLarge, "store.docs", "at most %d documents are written at once", maxDocs)
	}
	now := t.s.cfg.Now()
	// Each write takes some expired ones away.
	if err := lite.Exec(t.c, "DELETE FROM doc WHERE (kind, key) IN (SELECT kind, key FROM doc WHERE expires > 0 AND expires <= ? LIMIT 100)", nil, now.UnixMicro()); err != nil {
		return err
	}
	for i := range docs {
		if err := t.putDoc(&docs[i], now); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) putDoc(d *store.Doc, now time.Time) error {
	if d.Kind == "" || len(d.Kind) > maxDocKey || len(d.Key) > maxDocKey || len(d.Value) > maxDocBytes {
		return fault.New(fault.Invalid, "store.doc", "a document needs a kind; kind and key have at most %d bytes, the value %d", maxDocKey, maxDocBytes).At(d.Kind)
	}
	have, err := lite.Number(t.c, "SELECT version FROM doc WHERE kind = ? AND key = ? AND (expires = 0 OR expires > ?)", d.Kind, d.Key, now.UnixMicro())
	if err != nil {
		return err
	}
	if d.Version >= 0 && d.Version != have {
		return fault.New(fault.Conflict, "store.doc", "the %s %q has been changed meanwhile", d.Kind, d.Key).Try("read it again and repeat the change")
	}
	if d.Value == nil {
		return lite.Exec(t.c, "DELETE FROM doc WHERE kind = ? AND key = ?", nil, d.Kind, d.Key)
	}
	return lite.Exec(t.c, "INSERT OR REPLACE INTO doc(kind, key, version, expires, value) VALUES(?,?,?,?,?)", nil, d.Kind, d.Key, have+1, lite.PackTime(d.Expires), d.Value)
}

// Doc implements store.Store.
func (s *Store) Doc(ctx context.Context, kind, key string) (d store.Doc, err error) {
	found := false
	err = s.read(ctx, gate.Scope{}, func(r *reader) error {
		return lite.Exec(r.c, "SELECT kind, key, version, expires, value FROM doc WHERE kind = ? AND key = ? AND (expires = 0 OR expires > ?)", func(st *zs.Stmt) error {
			d, found = scanDoc(st), true
			return nil
		}, kind, key, s.cfg.Now().UnixMicro())
	})
	if err == nil && !found {
		err = fault.New(fault.NotFound, "store.doc", "there is no %s %q", kind, key)
	}
	return d, room.Wrap("reading a document", err)
}

// Docs implements store.Store.
func (s *Store) Docs(ctx context.Context, kind, after string, limit int) (docs []store.Doc, err error) {
	if limit <= 0 || limit > maxDocs {
		limit = maxDocs
	}
	err = s.read(ctx, gate.Scope{}, func(r *reader) error {
		return lite.Exec(r.c, "SELECT kind, key, version, expires, value FROM doc WHERE kind = ? AND key > ? AND (expires = 0 OR expires > ?) ORDER BY key LIMIT ?", func(st *zs.Stmt) error {
			docs = append(docs, scanDoc(st))
			return nil
		}, kind, after, s.cfg.Now().UnixMicro(), limit)
	})
	return docs, room.Wrap("reading documents", err)
}

func scanDoc(st *zs.Stmt) store.Doc {
	d := store.Doc{Kind: st.ColumnText(0), Key: st.ColumnText(1), Version: st.ColumnInt64(2), Expires: lite.UnpackTime(st.ColumnInt64(3)), Value: lite.Blob(st, 4)}
	if d.Value == nil {
		d.Value = []byte{}
	}
	return d
}
