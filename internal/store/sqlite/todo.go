package sqlite

import (
	"context"
	"io"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

func (s *Store) Remove(ctx context.Context, scope gate.Scope, r store.Removal) (int, error) {
	return 0, nil
}
func (s *Store) Relabel(ctx context.Context, scope gate.Scope, r store.Relabelling) (record.Seq, error) {
	return 0, nil
}
func (s *Store) Purge(ctx context.Context, scope gate.Scope, p store.Purge) (store.PurgeReport, error) {
	return store.PurgeReport{}, nil
}
func (s *Store) Quarantined(ctx context.Context, scope gate.Scope, q store.QuarantineQuery) ([]store.Quarantined, error) {
	return nil, nil
}
func (s *Store) Release(ctx context.Context, r store.Release) error { return nil }
func (s *Store) Holders(ctx context.Context, scope gate.Scope, id string) ([]store.Holding, error) {
	return nil, nil
}
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	return nil
}
