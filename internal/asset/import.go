package asset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/register"
)

// Bounds of one import.
const (
	MaxImport = 64 << 20 // bytes
	MaxRows   = 1_000_000

	importBatch = 200  // versions that are handed in together
	maxReview   = 1000 // constituents and problems that a review names one by one
	maxFacts    = 50   // facts that are named of one constituent
)

// Formats are the formats that an import can have.
func Formats() []string { return []string{"csv", "json", "netbox"} }

// Import says what is imported and how.
type Import struct {
	Format  string
	DryRun  bool   // store nothing, and say what would be
	Replace bool   // of the constituents that a table names, the kinds of things that it names are what it says; else they are added to
	Default string // the constituent of rows of NetBox that have no tenant
}

// Review says what an import did, or would do.
type Review struct {
	Format    string          `json:"format"`
	DryRun    bool            `json:"dry_run"`
	Rows      int             `json:"rows"`
	Added     int             `json:"added"` // constituents
	Changed   int             `json:"changed"`
	Unchanged int             `json:"unchanged"`
	Refused   int             `json:"refused"` // rows, and constituents that break a rule as a whole
	Gained    int             `json:"gained"`  // facts of changed and added constituents: assets, contacts and properties
	Lost      int             `json:"lost"`
	Items     []ReviewItem    `json:"items"`    // those that are added or change, at most 1000
	Problems  []ReviewRefusal `json:"problems"` // at most 1000
}

// ReviewItem is what becomes of one constituent.
type ReviewItem struct {
	State   string   `json:"state"` // added or changed
	ID      string   `json:"id,omitempty"`
	Name    string   `json:"name"`
	Row     int      `json:"row"` // where it is named first: the line of a table, the place in a list
	Gained  []string `json:"gained,omitempty"`
	Changed []string `json:"changed,omitempty"`
	Lost    []string `json:"lost,omitempty"`
}

// ReviewRefusal is a row that was not taken.
type ReviewRefusal struct {
	Row     int    `json:"row"`
	Name    string `json:"name,omitempty"`
	Pointer string `json:"pointer,omitempty"` // the column, or the place in the constituent
	Code    string `json:"code"`
	Message string `json:"message"`
}

// plan is what a file says of constituents.
type plan struct {
	rows   int
	drafts []*draft
	byName map[string]*draft
	review *Review
}

// draft is what a file says of one constituent.
type draft struct {
	row   int
	whole bool // it says everything; else only what kinds names
	c     register.Constituent
	kinds map[string]bool
}

func newPlan(r *Review) *plan { return &plan{byName: map[string]*draft{}, review: r} }

// of is the draft of a constituent by its name.
func (p *plan) of(name string, row int) *draft {
	name = strings.TrimSpace(name)
	key := fold(name)
	d := p.byName[key]
	if d == nil {
		d = &draft{row: row, c: register.Constituent{Name: name}, kinds: map[string]bool{}}
		p.byName[key] = d
		p.drafts = append(p.drafts, d)
	}
	return d
}

func (p *plan) refuse(row int, name, pointer, code, format string, args ...any) {
	p.review.Refused++
	if len(p.review.Problems) < maxReview {
		p.review.Problems = append(p.review.Problems, ReviewRefusal{row, clip(name), pointer, code, fmt.Sprintf(format, args...)})
	}
}

// count counts a row and tells when there are too many.
func (p *plan) count() error {
	p.rows++
	if p.rows > MaxRows {
		return fault.New(fault.TooLarge, "import.rows", "the import has more than %d rows", MaxRows).Try("import it in parts")
	}
	return nil
}

// Import takes in what a file says. Rows that are refused do not keep the others out. The same file a second time changes nothing.
func (r *Register) Import(ctx context.Context, v gate.Viewer, in Import, body io.Reader) (Review, error) {
	review := Review{Format: in.Format, DryRun: in.DryRun, Items: []ReviewItem{}, Problems: []ReviewRefusal{}}
	raw, err := readAll(body)
	if err != nil {
		return review, err
	}
	p := newPlan(&review)
	switch in.Format {
	case "csv":
		err = readTable(raw, p)
	case "json":
		err = readJSON(raw, p)
	case "netbox":
		err = readNetBox(raw, p, in.Default)
	default:
		err = fault.New(fault.Invalid, "import.format", "there is no format %q", clip(in.Format)).At("format").Try("use one of " + strings.Join(Formats(), ", "))
	}
	if err != nil {
		return review, err
	}
	review.Rows = p.rows
	if err := r.fill(ctx); err != nil {
		return review, err
	}
	r.write.Lock()
	defer r.write.Unlock()
	return review, r.apply(ctx, v, in, p)
}

func readAll(body io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(body, MaxImport+1))
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "body.read", "the body could not be read to its end; nothing of it was taken").Because(err)
	case len(raw) > MaxImport:
		return nil, fault.New(fault.TooLarge, "import.size", "the import has more than %d bytes", MaxImport).Try("import it in parts")
	}
	return raw, nil
}

// apply compares every draft with what is there, and hands the new versions in.
func (r *Register) apply(ctx context.Context, v gate.Viewer, in Import, p *plan) error {
	bySource := map[register.Source]string{}
	for _, c := range r.index.All() {
		for _, s := range c.ExternalRefs {
			bySource[s] = c.ID
		}
	}
	var batch []sealed
	var items []ReviewItem
	var rows []int
	flush := func() error {
		if in.DryRun || len(batch) == 0 {
			p.keep(items...)
			batch, items, rows = nil, nil, nil
			return nil
		}
		outcomes, err := r.hand(ctx, v, batch)
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			if e := refusal(o); e != nil {
				p.refuse(rows[i], items[i].Name, "", fault.As(e).MachineCode(), "%s", fault.As(e).Message)
				continue
			}
			p.keep(items[i])
		}
		batch, items, rows = nil, nil, nil
		return nil
	}
	taken := map[string]int{}
	for _, d := range p.drafts {
		prior, err := r.priorOf(ctx, v, d, bySource)
		if err != nil {
			if fault.Of(err) != fault.Conflict {
				return err
			}
			p.refuse(d.row, d.c.Name, "/id", fault.As(err).MachineCode(), "%s", fault.As(err).Message)
			continue
		}
		if prior != nil {
			if first := taken[prior.Constituent.ID]; first != 0 {
				p.refuse(d.row, d.c.Name, "", "import.twice", "this constituent stands in row %d already", first)
				continue
			}
			taken[prior.Constituent.ID] = d.row
		}
		c, err := merged(d, prior, in.Replace)
		if err != nil {
			return err
		}
		s, err := r.seal(c, prior)
		if err != nil {
			e := fault.As(err)
			p.refuse(d.row, d.c.Name, e.Pointer, e.MachineCode(), "%s", e.Message)
			continue
		}
		item, same := compare(prior, s.c)
		if same {
			p.review.Unchanged++
			continue
		}
		item.Row = d.row
		if prior == nil && in.DryRun {
			item.ID = "" // it would get another one
		}
		batch, items, rows = append(batch, s), append(items, item), append(rows, d.row)
		if len(batch) == importBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// keep counts constituents that were or would be stored.
func (p *plan) keep(items ...ReviewItem) {
	for _, it := range items {
		if it.State == "added" {
			p.review.Added++
		} else {
			p.review.Changed++
		}
		p.review.Gained += len(it.Gained)
		p.review.Lost += len(it.Lost)
		if len(p.review.Items) < maxReview {
			it.Gained, it.Changed, it.Lost = it.Gained[:min(len(it.Gained), maxFacts)], it.Changed[:min(len(it.Changed), maxFacts)], it.Lost[:min(len(it.Lost), maxFacts)]
			p.review.Items = append(p.review.Items, it)
		}
	}
}

// priorOf is the current version of the constituent that a draft speaks of: by its id, by the id it has elsewhere, or by its name. A
// Conflict says why it cannot be told.
func (r *Register) priorOf(ctx context.Context, v gate.Viewer, d *draft, bySource map[register.Source]string) (*View, error) {
	id := d.c.ID
	if id == "" {
		for _, s := range d.c.ExternalRefs {
			id = cmp.Or(id, bySource[s])
		}
		id = cmp.Or(id, r.named(d.c.Name))
	} else if other := r.named(d.c.Name); other != "" && other != id {
		there, err := r.there(ctx, v, []string{other})
		if err != nil {
			return nil, err
		}
		if there[other] != "" {
			return nil, fault.New(fault.Conflict, "constituent.name", "there is another constituent of that name: %s", other)
		}
	}
	if id == "" {
		return nil, nil
	}
	views, err := r.read(ctx, v, id, store.Versions{})
	if err != nil || len(views) == 0 {
		return nil, err
	}
	if views[0].Constituent.Revoked {
		if d.c.ID == "" {
			return nil, nil
		}
		return nil, fault.New(fault.Conflict, "constituent.removed", "this constituent was removed, which is final; leave its id out to add it as a new one")
	}
	return &views[0], nil
}

// merged is the version that a draft makes of what is there.
func merged(d *draft, prior *View, replace bool) (*register.Constituent, error) {
	c := d.c
	if prior == nil {
		if !d.whole {
			c = register.Constituent{Name: c.Name}
			overlay(&c, &d.c, nil, false)
		}
		c.ID, c.Previous, c.Revoked, c.Created, c.CreatedByRef = cmp.Or(d.c.ID, newID()), "", false, "", ""
		return &c, nil
	}
	was, err := clone(prior.Constituent)
	if err != nil {
		return nil, err
	}
	if d.whole {
		c.ID, c.Revoked = was.ID, false
		if c.MarkingRefs == nil {
			c.MarkingRefs = was.MarkingRefs
		}
		return &c, nil
	}
	overlay(was, &c, d.kinds, replace)
	return was, nil
}

// gather adds a row to a draft. What the rows say of one thing more than once is settled by the last of them, in union.
func (d *draft) gather(row *draft) {
	c, said := &d.c, &row.c
	properties(c, said)
	c.Contacts = append(c.Contacts, said.Contacts...)
	c.Networks = append(c.Networks, said.Networks...)
	c.ASNs = append(c.ASNs, said.ASNs...)
	c.Domains = append(c.Domains, said.Domains...)
	c.Certificates = append(c.Certificates, said.Certificates...)
	c.Software = append(c.Software, said.Software...)
	for k := range row.kinds {
		d.kinds[k] = true
	}
}

// overlay writes what a table says over what is there.
func overlay(c, said *register.Constituent, kinds map[string]bool, replace bool) {
	properties(c, said)
	drop := func(kind string) bool { return replace && kinds[kind] }
	c.Contacts = union(c.Contacts, said.Contacts, drop("contact"), func(x register.Contact) string { return fold(x.Name) })
	c.Networks = union(c.Networks, said.Networks, drop("network"), func(x register.Network) string { return canonicalRange(x.Range) })
	c.ASNs = union(c.ASNs, said.ASNs, drop("asn"), func(x uint32) string { return strconv.FormatUint(uint64(x), 10) })
	c.Domains = union(c.Domains, said.Domains, drop("domain"), func(x register.Domain) string { name, _ := register.HostName(x.Name); return name })
	c.Certificates = union(c.Certificates, said.Certificates, drop("certificate"), certificateKey)
	c.Software = union(c.Software, said.Software, drop("software"), softwareKey)
}

// properties writes what is said of the constituent itself over what is there.
func properties(c, said *register.Constituent) {
	for _, f := range []struct{ to, from *string }{{&c.Description, &said.Description}, {&c.Country, &said.Country}, {&c.Org, &said.Org}} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	if said.Criticality != "" {
		c.Criticality = said.Criticality
	}
	for _, f := range []struct{ to, from *[]string }{{&c.Aliases, &said.Aliases}, {&c.Sectors, &said.Sectors}, {&c.Languages, &said.Languages}} {
		if len(*f.from) > 0 {
			*f.to = *f.from
		}
	}
	for _, s := range said.ExternalRefs {
		if !slices.Contains(c.ExternalRefs, s) {
			c.ExternalRefs = append(c.ExternalRefs, s)
		}
	}
}

// union is what is there and what is said, by a key; what is said of a key wins. With drop only what is said stays.
func union[T any](have, said []T, drop bool, key func(T) string) []T {
	if drop {
		have = nil
	}
	out := slices.Clone(have)
	at := make(map[string]int, len(out)+len(said))
	for i, x := range out {
		at[key(x)] = i
	}
	for _, x := range said {
		k := key(x)
		if i, ok := at[k]; ok {
			out[i] = x
			continue
		}
		at[k] = len(out)
		out = append(out, x)
	}
	return out
}

func canonicalRange(s string) string {
	if r, err := register.ParseRange(s); err == nil {
		return r.String()
	}
	return s
}

func certificateKey(x register.Certificate) string {
	return strings.ToLower(x.SHA256 + "|" + x.Serial + "|" + x.Issuer)
}

func softwareKey(x register.Software) string {
	return strings.ToLower(x.CPE + "|" + x.PURL + "|" + x.Vendor + "|" + x.Product + "|" + x.Version)
}

func clone(c *register.Constituent) (*register.Constituent, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	out := new(register.Constituent)
	return out, json.Unmarshal(b, out)
}

// compare says what another version gains, changes and loses.
func compare(prior *View, c *register.Constituent) (item ReviewItem, same bool) {
	item = ReviewItem{State: "changed", ID: c.ID, Name: c.Name}
	var was map[string]string
	if prior == nil {
		item.State = "added"
	} else {
		was = facts(prior.Constituent)
	}
	is := facts(c)
	for k, now := range is {
		switch before, there := was[k]; {
		case !there:
			item.Gained = append(item.Gained, k)
		case before != now:
			item.Changed = append(item.Changed, k)
		}
	}
	for k := range was {
		if _, there := is[k]; !there {
			item.Lost = append(item.Lost, k)
		}
	}
	slices.Sort(item.Gained)
	slices.Sort(item.Changed)
	slices.Sort(item.Lost)
	return item, prior != nil && len(item.Gained)+len(item.Changed)+len(item.Lost) == 0
}

// facts are what a constituent says, each under what it is about.
func facts(c *register.Constituent) map[string]string {
	out, times := map[string]string{}, map[string]int{}
	say := func(key string, v any) {
		b, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			return
		}
		if times[key]++; times[key] > 1 { // two contacts may have one name
			key += " #" + strconv.Itoa(times[key])
		}
		out[key] = string(b)
	}
	for _, f := range []struct{ key, text string }{{"name", c.Name}, {"description", c.Description}, {"criticality", string(c.Criticality)}, {"country", c.Country}, {"org", c.Org},
		{"aliases", strings.Join(c.Aliases, "; ")}, {"sectors", strings.Join(c.Sectors, "; ")}, {"languages", strings.Join(c.Languages, "; ")}, {"markings", strings.Join(c.MarkingRefs, "; ")}} {
		if f.text != "" {
			out[f.key] = f.text
		}
	}
	for _, x := range c.ExternalRefs {
		out["source "+x.Name+" "+x.ID] = ""
	}
	for i, x := range c.Contacts {
		say("contact "+x.Name, []any{i, x})
	}
	for _, x := range c.Networks {
		say("network "+x.Range, x)
	}
	for _, x := range c.ASNs {
		out["asn "+strconv.FormatUint(uint64(x), 10)] = ""
	}
	for _, x := range c.Domains {
		say("domain "+x.Name, x)
	}
	for _, x := range c.Certificates {
		say("certificate "+strings.TrimSpace(cmp.Or(x.SHA256, x.Serial+" "+x.Issuer)), x)
	}
	for _, x := range c.Software {
		say("software "+cmp.Or(x.CPE, x.PURL, strings.Join(strings.Fields(x.Vendor+" "+x.Product+" "+x.Version), " ")), x)
	}
	return out
}

// problemOf says where and what an error of the language is.
func problemOf(err error) (pointer, code, message string) {
	var e *register.Error
	if errors.As(err, &e) {
		message = e.Message
		if e.Offset > 0 {
			message += fmt.Sprintf(" (byte %d of it)", e.Offset)
		}
		return e.Pointer, e.Code, message
	}
	return "", "constituent.form", err.Error()
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "")
	}
	return s
}
