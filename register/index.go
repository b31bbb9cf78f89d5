package register

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// How says how a value stands to the asset that it concerns.
type How string

const (
	Exact    How = "exact"    // it is the asset
	Inside   How = "inside"   // it lies in the asset: an address in a range, one version of a product that is registered without one
	Contains How = "contains" // the asset lies in it: a larger network, every version of a product
	Parent   How = "parent"   // it is below a domain that is registered with its subdomains
	Overlaps How = "overlaps" // some of it is in the asset, or may be
)

// Kind is a kind of asset.
type Kind string

const (
	NetworkAsset     Kind = "network"
	ASNAsset         Kind = "asn"
	DomainAsset      Kind = "domain"
	CertificateAsset Kind = "certificate"
	SoftwareAsset    Kind = "software"
)

// Asset is one thing of a constituent.
type Asset struct {
	Kind        Kind        `json:"kind"`
	Position    int         `json:"position"`       // in its list of the constituent: networks, asns, domains, certificates or software
	Value       string      `json:"value"`          // the range, number, name, hash, or what names the software
	Name        string      `json:"name,omitempty"` // of a network
	Site        string      `json:"site,omitempty"`
	Criticality Criticality `json:"criticality,omitempty"` // its own, else the constituent's
	Shared      bool        `json:"shared,omitzero"`       // others use it too: it must never be blocked
}

// Match is one asset that a value concerns. What it points to must not be changed.
type Match struct {
	Constituent *Constituent
	Asset       *Asset
	How         How
}

// MaxMatches bounds the matches of one question.
const MaxMatches = 10_000

// Index finds the constituents that a value concerns. Its methods are safe for concurrent use; questions do not wait for each other.
type Index struct {
	mu       sync.RWMutex
	owners   map[string]*owner
	assets   int
	changes  uint64 // counts changes of networks
	networks bart.Table[*slot]
	asns     map[uint32][]*entry
	domains  map[string][]*entry
	hashes   map[string][]*entry
	serials  map[string][]*entry
	products map[string][]*entry // by folded product
	opens    []*entry            // software whose product is open
}

type owner struct {
	constituent *Constituent
	entries     []*entry
}

// slot is the ranges that have a network of the table among theirs.
type slot struct {
	entries []*entry
	answer  atomic.Pointer[answer] // for addresses of which this is the smallest network
}

// answer is what an address concerns, as long as no network changes. All addresses with one smallest network have one answer: only a
// range of a single address can be an address itself, and then it is that network.
type answer struct {
	changes uint64
	matches []Match
}

type entry struct {
	owner    *owner
	asset    Asset
	reach    Range    // of networks
	asn      uint32   // of autonomous systems
	below    bool     // of domains: with subdomains
	hash     string   // of certificates
	serial   string   //
	issuer   string   // folded
	software software // of software
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{owners: map[string]*owner{}, asns: map[uint32][]*entry{}, domains: map[string][]*entry{}, hashes: map[string][]*entry{},
		serials: map[string][]*entry{}, products: map[string][]*entry{}}
}

// Put takes a constituent in, instead of the version that is there. A revoked one is taken out. The index keeps c, which must not be
// changed any more. Assets that break the rules of the language are left out.
func (x *Index) Put(c *Constituent) {
	o := &owner{constituent: c}
	if !c.Revoked {
		o.entries = entries(o)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(c.ID)
	if c.Revoked {
		return
	}
	x.owners[c.ID] = o
	x.assets += len(o.entries)
	for _, e := range o.entries {
		x.each(e, func(m list) { m.add(e) })
	}
}

// Remove takes a constituent out and tells whether it was there.
func (x *Index) Remove(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.remove(id)
}

func (x *Index) remove(id string) bool {
	o := x.owners[id]
	if o == nil {
		return false
	}
	delete(x.owners, id)
	x.assets -= len(o.entries)
	for _, e := range o.entries {
		x.each(e, func(m list) { m.drop(e) })
	}
	return true
}

// Get is the constituent of that id as the index has it; nil where it has none.
func (x *Index) Get(id string) *Constituent {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if o := x.owners[id]; o != nil {
		return o.constituent
	}
	return nil
}

// All is every constituent, in the order of ids.
func (x *Index) All() []*Constituent {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := make([]*Constituent, 0, len(x.owners))
	for _, o := range x.owners {
		out = append(out, o.constituent)
	}
	slices.SortFunc(out, func(a, b *Constituent) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	return out
}

// Len is how many constituents the index has, and how many assets.
func (x *Index) Len() (constituents, assets int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.owners), x.assets
}

// list is one place in the index where an entry stands.
type list struct{ add, drop func(*entry) }

// each calls f with every place where the entry stands or belongs.
func (x *Index) each(e *entry, f func(list)) {
	switch e.asset.Kind {
	case NetworkAsset:
		x.changes++
		for _, p := range e.reach.Prefixes() {
			f(list{
				func(e *entry) {
					x.networks.Modify(p, func(have *slot, ok bool) (*slot, bool) {
						if !ok {
							have = new(slot)
						}
						have.entries = append(have.entries, e)
						return have, false
					})
				},
				func(e *entry) {
					x.networks.Modify(p, func(have *slot, ok bool) (*slot, bool) {
						if !ok {
							return nil, true
						}
						have.entries = without(have.entries, e)
						return have, len(have.entries) == 0
					})
				},
			})
		}
	case ASNAsset:
		f(of(x.asns, e.asn))
	case DomainAsset:
		f(of(x.domains, e.asset.Value))
	case CertificateAsset:
		if e.hash != "" {
			f(of(x.hashes, e.hash))
		}
		if e.serial != "" {
			f(of(x.serials, e.serial))
		}
	case SoftwareAsset:
		if e.software.open() {
			f(list{func(e *entry) { x.opens = append(x.opens, e) }, func(e *entry) { x.opens = without(x.opens, e) }})
		} else {
			f(of(x.products, e.software.product))
		}
	}
}

func of[K comparable](m map[K][]*entry, key K) list {
	return list{
		func(e *entry) { m[key] = append(m[key], e) },
		func(e *entry) {
			if have := without(m[key], e); len(have) > 0 {
				m[key] = have
			} else {
				delete(m, key)
			}
		},
	}
}

// without is the list without an entry, in memory of its own: who reads the old one goes on.
func without(have []*entry, e *entry) []*entry {
	out := make([]*entry, 0, len(have))
	for _, h := range have {
		if h != e {
			out = append(out, h)
		}
	}
	return out
}

// entries reads every asset of a constituent.
func entries(o *owner) []*entry {
	c := o.constituent
	out := make([]*entry, 0, c.Assets())
	add := func(e entry, own Criticality) {
		e.owner = o
		if e.asset.Criticality = own; own == "" {
			e.asset.Criticality = c.Criticality
		}
		out = append(out, &e)
	}
	for i, n := range c.Networks {
		if r, err := ParseRange(n.Range); err == nil {
			add(entry{asset: Asset{Kind: NetworkAsset, Position: i, Value: r.String(), Name: n.Name, Site: n.Site, Shared: n.Shared}, reach: r}, n.Criticality)
		}
	}
	for i, n := range c.ASNs {
		add(entry{asset: Asset{Kind: ASNAsset, Position: i, Value: asnText(n)}, asn: n}, "")
	}
	for i, d := range c.Domains {
		if name, ok := HostName(d.Name); ok {
			add(entry{asset: Asset{Kind: DomainAsset, Position: i, Value: name, Shared: d.Shared}, below: d.IncludeSubdomains}, d.Criticality)
		}
	}
	for i, k := range c.Certificates {
		e := entry{asset: Asset{Kind: CertificateAsset, Position: i}, hash: hash(k.SHA256), serial: serial(k.Serial), issuer: distinguished(k.Issuer)}
		if e.asset.Value = e.hash; e.hash == "" {
			e.asset.Value = e.serial
		}
		if e.asset.Value != "" {
			add(e, "")
		}
	}
	for i, s := range c.Software {
		if read, ok := readSoftware(s.CPE, s.PURL, s.Vendor, s.Product, s.Version); ok {
			add(entry{asset: Asset{Kind: SoftwareAsset, Position: i, Value: softwareText(s)}, software: read}, s.Criticality)
		}
	}
	return out
}
