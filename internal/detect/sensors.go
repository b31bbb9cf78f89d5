package detect

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/sensor"
)

const (
	docSensor = "sensor"      // key: its id
	docCode   = "sensor.code" // key: SHA-256 of the secret
	codeLife  = time.Hour
	maxNodes  = 10_000 // sensors of one node
)

// Sensor is an enrolled sensor.
type Sensor struct {
	ID           string      `json:"id"`
	Name         string      `json:"name"`
	Nation       string      `json:"nation"`
	Org          string      `json:"org"`
	Added        time.Time   `json:"added"`
	By           string      `json:"by"` // who made its code
	Revoked      time.Time   `json:"revoked,omitzero"`
	Certificates []Certified `json:"certificates"` // that it may come with, the newest last

	version int64
}

// Certified is a certificate of a sensor.
type Certified struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256 (DER), hex
	ID          string    `json:"id"`          // in the register of certificates
	Expires     time.Time `json:"expires"`
}

func (s *Sensor) party() gate.Party { return gate.Party{Nation: s.Nation, Org: s.Org} }

// Viewer is who a sensor is to the gate.
func (r *Room) viewer(s *Sensor) gate.Viewer {
	return gate.Viewer{Nation: s.Nation, Org: s.Org, Person: s.Name, Roles: []string{gate.RoleSensor}, Realm: r.o.Realm}
}

// registry is every sensor, in memory.
type registry struct {
	mu     sync.RWMutex
	byID   map[string]*Sensor
	byCert map[string]string // fingerprint to id
	change sync.Mutex        // held while one is changed
}

func (g *registry) find(id string) (Sensor, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	s, ok := g.byID[id]
	if !ok {
		return Sensor{}, false
	}
	return *s, true
}

func (g *registry) all() []Sensor {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := make([]Sensor, 0, len(g.byID))
	for _, s := range g.byID {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Sensor) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	return out
}

func (g *registry) set(s Sensor) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.byID[s.ID] = &s
	for _, c := range s.Certificates {
		g.byCert[c.Fingerprint] = s.ID
	}
}

func (r *Room) loadSensors(ctx context.Context) error {
	r.sensors.byID, r.sensors.byCert = map[string]*Sensor{}, map[string]string{}
	return each(ctx, r.o.Docs, docSensor, func(d *store.Doc) error {
		s := Sensor{version: d.Version}
		if err := json.Unmarshal(d.Value, &s); err != nil {
			return err
		}
		r.sensors.set(s)
		if s.Revoked.IsZero() {
			return r.begin(s.party())
		}
		return nil
	})
}

// begin makes sure that an organisation has a table, which is filled by a sweep.
func (r *Room) begin(p gate.Party) error {
	idle, err := r.nothing()
	if err != nil {
		return err
	}
	at, err := r.looked.place(placeJournal)
	if err != nil {
		return err
	}
	isNew, err := r.looked.begin(p)
	if err != nil || !isNew {
		return err
	}
	from := record.Seq(-1)
	if idle || at == 0 { // nothing was followed before
		from, _ = r.o.World.Newest()
	}
	return r.askSweep(from)
}

// each visits all documents of a kind.
func each(ctx context.Context, docs Docs, kind string, visit func(*store.Doc) error) error {
	for after := ""; ; {
		page, err := docs.Docs(ctx, kind, after, 500)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if err := visit(&page[i]); err != nil {
				return fault.New(fault.Internal, "detection.damaged", "the document %s/%s cannot be read", kind, page[i].Key).Because(err)
			}
		}
		after = page[len(page)-1].Key
	}
}

// code is what is kept of a code that was given out.
type code struct {
	Name    string    `json:"name"`
	Nation  string    `json:"nation"`
	Org     string    `json:"org"`
	By      string    `json:"by"`
	Expires time.Time `json:"expires"`
}

// NewCode is a code as it is told, once.
type NewCode struct {
	Code    string    `json:"code"`
	Name    string    `json:"name"`
	Org     string    `json:"org"`
	Expires time.Time `json:"expires"`
}

func codeKey(c sensor.Code) string {
	sum := sha256.Sum256(c.Secret[:])
	return hex.EncodeToString(sum[:])
}

// Add makes a code with which a sensor enrols, once and within the hour. org names an organisation of the register; empty: the node's own.
func (r *Room) Add(ctx context.Context, actor, name, org string) (NewCode, error) {
	party := r.self()
	if org != "" && org != r.o.Org {
		var ok bool
		if party, ok = r.o.Named(org); !ok {
			return NewCode{}, fault.New(fault.NotFound, "org.unknown", "there is no such organisation").At("org").Try("register it: entente org add")
		}
	}
	trust, err := r.o.Authority.Trust()
	if err != nil {
		return NewCode{}, err
	}
	if r.taken(name) {
		return NewCode{}, fault.New(fault.Conflict, "sensor.exists", "there is a sensor of that name").At("name").Try("revoke it, or choose another name")
	}
	c := sensor.NewCode(trust)
	k := code{Name: name, Nation: party.Nation, Org: party.Org, By: actor, Expires: r.o.Now().Add(codeLife).UTC().Truncate(time.Second)}
	b, err := json.Marshal(k)
	if err != nil {
		return NewCode{}, err
	}
	err = r.o.Docs.PutDocs(ctx, store.Act{Actor: actor, Verb: "sensor.add", Target: name, Detail: "org=" + party.String()}, store.Doc{Kind: docCode, Key: codeKey(c), Value: b, Expires: k.Expires})
	return NewCode{Code: c.String(), Name: name, Org: party.Org, Expires: k.Expires}, err
}

func (r *Room) taken(name string) bool {
	return slices.ContainsFunc(r.sensors.all(), func(s Sensor) bool { return s.Name == name && s.Revoked.IsZero() })
}

// errCode is the one answer to a code that does not count, whatever is wrong with it.
func errCode() error {
	return fault.New(fault.Forbidden, "sensor.code", "this code does not count: it works once and for one hour").At("code").Try("ask for another at the node: entente sensor add NAME")
}

// Enrol makes a sensor of who has a code and a key.
func (r *Room) Enrol(ctx context.Context, q sensor.Request) (sensor.Enrolled, error) {
	c, err := sensor.ParseCode(q.Code)
	if err != nil {
		return sensor.Enrolled{}, errCode()
	}
	doc, err := r.o.Docs.Doc(ctx, docCode, codeKey(c))
	if fault.Of(err) == fault.NotFound {
		return sensor.Enrolled{}, errCode()
	}
	if err != nil {
		return sensor.Enrolled{}, err
	}
	var k code
	if err := json.Unmarshal(doc.Value, &k); err != nil {
		return sensor.Enrolled{}, err
	}
	if !r.o.Now().Before(k.Expires) {
		return sensor.Enrolled{}, errCode()
	}
	r.sensors.change.Lock()
	defer r.sensors.change.Unlock()
	if r.taken(k.Name) {
		return sensor.Enrolled{}, fault.New(fault.Conflict, "sensor.exists", "a sensor of that name was enrolled in the meantime").Try("revoke it, or ask for a code for another name")
	}
	if len(r.sensors.all()) >= maxNodes {
		return sensor.Enrolled{}, fault.New(fault.Full, "sensor.many", "the node has %d sensors, which is the most", maxNodes)
	}
	s := Sensor{ID: uuid.NewString(), Name: k.Name, Nation: k.Nation, Org: k.Org, Added: r.o.Now().UTC().Truncate(time.Second), By: k.By}
	pem, leaf, err := r.certify(&s, q.CSR)
	if err != nil {
		return sensor.Enrolled{}, err
	}
	spent := store.Doc{Kind: docCode, Key: doc.Key, Version: doc.Version}
	if err := r.keep(ctx, store.Act{Actor: s.actor(), Verb: "sensor.enrol", Target: s.Name, Detail: "id=" + s.ID + " code by " + k.By}, &s, spent); err != nil {
		if fault.Of(err) == fault.Conflict { // somebody else was quicker with the same code
			err = errCode()
		}
		return sensor.Enrolled{}, err
	}
	if err := r.begin(s.party()); err != nil {
		return sensor.Enrolled{}, err
	}
	if _, err := r.o.Authority.Admit(ctx, s.actor(), leaf, s.Name, s.party()); err != nil {
		return sensor.Enrolled{}, err
	}
	r.stir()
	return r.enrolled(&s, pem, leaf), nil
}

func (s *Sensor) actor() string { return s.Org + "/" + s.Name }

func (r *Room) enrolled(s *Sensor, pem []byte, leaf *x509.Certificate) sensor.Enrolled {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return sensor.Enrolled{ID: s.ID, Name: s.Name, Nation: s.Nation, Org: s.Org, Realm: r.o.Realm, Certificate: string(pem), Authority: string(r.o.Authority.Roots()),
		RenewAfter: leaf.NotBefore.Add(life * 2 / 3).UTC()}
}

// certify makes a certificate for a sensor, and adds it to those that it may come with.
func (r *Room) certify(s *Sensor, csr string) (pem []byte, leaf *x509.Certificate, err error) {
	if csr == "" {
		return nil, nil, fault.New(fault.Invalid, "certificate.request", "a sensor makes its own key, and sends a request for it").At("csr").By("PKCS #10 (RFC 2986), PEM")
	}
	leaf, pem, err = r.o.Authority.Sign(s.Name, s.party(), []byte(csr))
	if err != nil {
		return nil, nil, err
	}
	print := fingerprint(leaf)
	s.Certificates = append(slices.Clone(s.Certificates), Certified{Fingerprint: print, ID: "fp-" + print, Expires: leaf.NotAfter.UTC()})
	return pem, leaf, nil
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// keep writes a sensor down.
func (r *Room) keep(ctx context.Context, act store.Act, s *Sensor, more ...store.Doc) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := r.o.Docs.PutDocs(ctx, act, append(more, store.Doc{Kind: docSensor, Key: s.ID, Value: b, Version: s.version})...); err != nil {
		return err
	}
	s.version++
	r.sensors.set(*s)
	return nil
}

// Known is the sensor that has a certificate. Once it comes with its newest, those before it are ended.
func (r *Room) Known(ctx context.Context, leaf *x509.Certificate) (*Sensor, error) {
	print := fingerprint(leaf)
	r.sensors.mu.RLock()
	id := r.sensors.byCert[print]
	r.sensors.mu.RUnlock()
	s, ok := r.sensors.find(id)
	if !ok || !s.Revoked.IsZero() {
		return nil, fault.New(fault.Forbidden, "sensor.unknown", "this certificate is no sensor's").Try("enrol: entente sensor enrol URL CODE")
	}
	if len(s.Certificates) > 1 && s.Certificates[len(s.Certificates)-1].Fingerprint == print {
		if err := r.prune(ctx, s.ID, print); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

// prune ends all certificates of a sensor but one.
func (r *Room) prune(ctx context.Context, id, but string) error {
	r.sensors.change.Lock()
	defer r.sensors.change.Unlock()
	s, ok := r.sensors.find(id)
	if !ok || len(s.Certificates) < 2 {
		return nil
	}
	var stay []Certified
	for _, c := range s.Certificates {
		if c.Fingerprint == but {
			stay = append(stay, c)
			continue
		}
		if err := r.o.Authority.Dismiss(ctx, s.actor(), c.ID); err != nil && fault.Of(err) != fault.NotFound {
			return err
		}
	}
	s.Certificates = stay
	return r.keep(ctx, store.Act{Actor: s.actor(), Verb: "sensor.renewed", Target: s.Name, Detail: "id=" + s.ID}, &s)
}

// Renew gives a sensor another certificate, for a key of its choice. The one that it comes with counts until it comes with the new one.
func (r *Room) Renew(ctx context.Context, who *Sensor, csr string) (sensor.Enrolled, error) {
	r.sensors.change.Lock()
	defer r.sensors.change.Unlock()
	s, ok := r.sensors.find(who.ID)
	if !ok || !s.Revoked.IsZero() {
		return sensor.Enrolled{}, unknown("sensor")
	}
	if len(s.Certificates) >= 4 {
		return sensor.Enrolled{}, fault.New(fault.Throttled, "sensor.renew", "the sensor has %d certificates that it did not come with", len(s.Certificates)-1).After(time.Hour).Try("come with the newest")
	}
	pem, leaf, err := r.certify(&s, csr)
	if err != nil {
		return sensor.Enrolled{}, err
	}
	if err := r.keep(ctx, store.Act{Actor: s.actor(), Verb: "sensor.renew", Target: s.Name, Detail: "id=" + s.ID}, &s); err != nil {
		return sensor.Enrolled{}, err
	}
	if _, err := r.o.Authority.Admit(ctx, s.actor(), leaf, s.Name, s.party()); err != nil {
		return sensor.Enrolled{}, err
	}
	return r.enrolled(&s, pem, leaf), nil
}

// Revoke ends a sensor at once and for good. What it reported stays.
func (r *Room) Revoke(ctx context.Context, actor, id string) error {
	r.sensors.change.Lock()
	defer r.sensors.change.Unlock()
	s, ok := r.Find(id)
	if !ok {
		return unknown("sensor")
	}
	if !s.Revoked.IsZero() {
		return nil
	}
	s.Revoked = r.o.Now().UTC().Truncate(time.Second)
	if err := r.keep(ctx, store.Act{Actor: actor, Verb: "sensor.revoke", Target: s.Name, Detail: "id=" + s.ID}, &s); err != nil {
		return err
	}
	defer r.stir()
	for _, c := range s.Certificates {
		if err := r.o.Authority.Dismiss(ctx, actor, c.ID); err != nil && fault.Of(err) != fault.NotFound {
			return err
		}
	}
	return r.closeTable(s.party())
}

// closeTable takes the table of an organisation away that has no sensor any more.
func (r *Room) closeTable(p gate.Party) error {
	if slices.ContainsFunc(r.sensors.all(), func(s Sensor) bool { return s.party() == p && s.Revoked.IsZero() }) {
		return nil
	}
	tables, err := r.looked.tables()
	if err != nil {
		return err
	}
	for i := range tables {
		if tables[i].party == p {
			return r.looked.end(&tables[i])
		}
	}
	return nil
}

// Find is a sensor by its id, or one that is not revoked by its name.
func (r *Room) Find(name string) (Sensor, bool) {
	if s, ok := r.sensors.find(name); ok {
		return s, true
	}
	for _, s := range r.sensors.all() {
		if s.Name == name && s.Revoked.IsZero() {
			return s, true
		}
	}
	return Sensor{}, false
}
