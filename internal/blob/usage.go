package blob

import (
	"sync"

	"entente/internal/fault"
	"entente/internal/gate"
)

// amount is a number of blobs and of their bytes.
type amount struct{ count, bytes int64 }

func (a amount) plus(b amount) amount  { return amount{a.count + b.count, a.bytes + b.bytes} }
func (a amount) minus(b amount) amount { return amount{a.count - b.count, a.bytes - b.bytes} }
func (a amount) within(b amount) bool  { return a.count <= b.count && a.bytes <= b.bytes }

// usage counts what is stored and what uploads under way have taken, of all and of each organisation.
type usage struct {
	mu      sync.Mutex
	own     gate.Party
	whole   amount // that all may take
	share   amount // that one other organisation may
	total   amount
	by      map[gate.Party]amount
	pending map[string]reservation // by the name of the file
}

type reservation struct {
	party gate.Party
	amount
}

func (u *usage) init(c Config) {
	u.own = gate.Party{Nation: c.Nation, Org: c.Org}
	u.whole = amount{c.TotalCount, c.TotalBytes}
	u.share = amount{max(1, c.TotalCount/c.Share), c.TotalBytes / c.Share}
	u.by, u.pending = map[gate.Party]amount{}, map[string]reservation{}
}

func (u *usage) begin(file string, p gate.Party) error {
	u.mu.Lock()
	u.pending[file] = reservation{party: p}
	u.mu.Unlock()
	return u.take(file, amount{1, 0})
}

// take reserves more for an upload, or refuses it. What an organisation is told does not depend on the others' blobs until the whole
// is used up.
func (u *usage) take(file string, a amount) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.pending[file]
	if r.party != u.own && !u.by[r.party].plus(a).within(u.share) {
		return noRoom("your organisation's share of the room for blobs is used up")
	}
	if !u.total.plus(a).within(u.whole) {
		return noRoom("the room for blobs is used up")
	}
	r.amount = r.plus(a)
	u.pending[file] = r
	u.add(r.party, a)
	return nil
}

func (u *usage) add(p gate.Party, a amount) {
	u.total = u.total.plus(a)
	if left := u.by[p].plus(a); left == (amount{}) {
		delete(u.by, p)
	} else {
		u.by[p] = left
	}
}

// end finishes an upload: what it took stays when it was kept.
func (u *usage) end(file string, kept bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.pending[file]
	delete(u.pending, file)
	if !kept {
		u.add(r.party, amount{}.minus(r.amount))
	}
}

// gone gives back what a removed blob took.
func (u *usage) gone(b *Blob) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.add(gate.Party{Nation: b.Origin.Nation, Org: b.Origin.Org}, amount{-1, -b.Size})
}

func (u *usage) writing(file string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.pending[file]
	return ok
}

// recount puts what was found in place of what was counted. Blobs whose retention has ended leave without a word.
func (u *usage) recount(held map[gate.Party]amount) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.by, u.total = held, amount{}
	for _, a := range held {
		u.total = u.total.plus(a)
	}
	for _, r := range u.pending {
		u.add(r.party, r.amount)
	}
}

func (u *usage) sum() (count, bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.total.count, u.total.bytes
}

func tooLarge(most int64) error {
	return fault.New(fault.TooLarge, "blob.size", "a blob has at most %d bytes", most)
}
