package testnet_test

import (
	"context"
	"testing"

	"entente/internal/ledger"
	"entente/internal/testnet"
	"entente/peer"
)

// faulty is a backend with a leak that others had, put in for the test. docs/leaks.md lists them.
type faulty struct {
	peer.Backend
	n     *testnet.Nation
	fault string
}

func (f faulty) all() []ledger.Log {
	logs, err := f.n.Ledger.Logs(context.Background(), ledger.Filter{Own: true})
	if err != nil {
		return nil
	}
	return logs
}

func (f faulty) Hello(ctx context.Context) (peer.Hello, error) {
	h, err := f.Backend.Hello(ctx)
	if f.fault == "size-of-all" {
		for _, g := range f.all() {
			h.KeyLog.Size += g.Size
		}
	}
	return h, err
}

func (f faulty) Logs(ctx context.Context) ([]peer.Head, error) {
	if f.fault != "every-log-listed" {
		return f.Backend.Logs(ctx)
	}
	var heads []peer.Head
	for _, g := range f.all() {
		heads = append(heads, peer.Head{Origin: g.Origin, Size: g.Signed.Size, Root: g.Signed.Root})
	}
	return heads, nil
}

func (f faulty) Log(ctx context.Context, origin string, p peer.Pull) (*peer.Batch, error) {
	b, err := f.Backend.Log(ctx, origin, p)
	if err == nil {
		return b, nil
	}
	switch f.fault {
	case "filter-after-transfer":
		return f.n.Ledger.Frames(ctx, origin, p)
	case "forbidden-for-missing":
		if g, known := f.n.Ledger.Log(ctx, origin); known == nil && g.Own {
			return nil, &peer.Error{Code: peer.CodeRefused, Message: "the log is another's"}
		}
	}
	return b, err
}

func (f faulty) Ack(ctx context.Context, a peer.Ack) error {
	err := f.Backend.Ack(ctx, a)
	if f.fault == "ack-of-anothers-log" && err != nil {
		if g, known := f.n.Ledger.Log(ctx, a.Logs[0].Origin); known == nil && g.Own {
			return nil
		}
	}
	return err
}

// TestSeededLeaks: two runs find every leak that is put into the wire.
func TestSeededLeaks(t *testing.T) {
	for _, fault := range []string{"size-of-all", "every-log-listed", "filter-after-transfer", "forbidden-for-missing", "ack-of-anothers-log"} {
		t.Run(fault, func(t *testing.T) {
			o := testnet.Options{Backend: func(n *testnet.Nation, b peer.Backend) peer.Backend { return faulty{b, n, fault} }}
			for seed := range 2 {
				if leak := two(t, o, seed*together, together); leak != "" {
					t.Logf("found in %.200s", leak)
					return
				}
			}
			t.Error("no world shows the leak")
		})
	}
}
