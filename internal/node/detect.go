package node

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"entente/dsse"
	"entente/internal/detect"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/indicator"
	"entente/internal/keyring"
	"entente/internal/notify"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/surface/api"
	"entente/internal/surface/sensorapi"
	"entente/label"
	"entente/peer"
	"entente/sensor"
)

// detectFolder is where detection stands below the data directory.
const detectFolder = "detect"

// sensorLife is how long a sensor's certificate is good.
const sensorLife = 90 * 24 * time.Hour

// openDetection opens the node's side of detection.
func (n *Node) openDetection(ctx context.Context) (err error) {
	names := n.ring.Names()
	n.detection, err = detect.Open(ctx, detect.Options{Dir: filepath.Join(n.cfg.Data, detectFolder), Nation: names.Nation, Org: names.Org, Realm: names.Realm, Config: n.cfg.Detect,
		World: watched{n}, Docs: n.store, Authority: vouching{n}, Named: func(org string) (gate.Party, bool) {
			o, ok := n.ids.Register().Find(org)
			return partyOf(o), ok
		}, Silent: n.silent, Now: n.cfg.Now, Log: n.cfg.Log})
	return err
}

// sensorMounts are the surface for sensors, and the door by which they come in.
func (n *Node) sensorMounts(challenges []string) []mount {
	render := api.Render(challenges)
	s := sensorapi.New(sensorapi.Config{Room: n.detection, Gate: n.gate, Render: render, Stopping: n.stopping, Now: n.cfg.Now})
	return []mount{
		{sensor.PathEnrol, n.hall.Open("sensor", render, http.HandlerFunc(s.Enrol))},
		{sensor.Prefix, n.hall.Protect("sensor", render, s)},
	}
}

// Detection is the node's side of detection, for the surface.
func (n *Node) Detection() *detect.Room { return n.detection }

// watched is the house as detection reads it.
type watched struct{ n *Node }

func (w watched) Lines(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return journal(w).Headers(ctx, after, limit)
}

func (w watched) Newest() (record.Seq, <-chan struct{}) { return w.n.store.Newest() }

func (w watched) All(ctx context.Context, types []string, after record.Seq, limit int) (store.Page, error) {
	return journal(w).Page(ctx, store.Query{Types: types, After: after, Limit: limit, Headers: true})
}

func (w watched) For(ctx context.Context, p gate.Party, ids []string) ([]store.Item, error) {
	scope := w.n.gate().Scope(gate.Viewer{Nation: p.Nation, Org: p.Org, Purpose: []string{label.NetDefence.String()}, Realm: w.n.ring.Names().Realm}, w.n.cfg.Now())
	return pages(store.Query{IDs: ids, Limit: len(ids)}, func(q store.Query) (store.Page, error) { return w.n.store.Page(ctx, scope, q) })
}

func (w watched) Visible(ctx context.Context, v gate.Viewer, ids []string) ([]store.Item, error) {
	return pages(store.Query{IDs: ids, Limit: len(ids), Headers: true}, func(q store.Query) (store.Page, error) { return w.n.exchange.Read(ctx, v, q) })
}

func (w watched) Read(ctx context.Context, v gate.Viewer, id string) (store.Item, error) {
	return w.n.exchange.Get(ctx, v, "", id, store.Versions{})
}

func (w watched) Held(ctx context.Context, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	for q := (store.Query{IDs: ids, Limit: len(ids), Headers: true, Held: true}); ; {
		page, err := journal(w).Page(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			out[page.Items[i].Record.ID] = true
		}
		if !page.More {
			return out, nil
		}
		q.After = page.Next
	}
}

// pages reads all pages of a query. What is in quarantine is not among them.
func pages(q store.Query, read func(store.Query) (store.Page, error)) (out []store.Item, err error) {
	for {
		page, err := read(q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if !page.Items[i].Held {
				out = append(out, page.Items[i])
			}
		}
		if !page.More {
			return out, nil
		}
		q.After = page.Next
	}
}

func (w watched) Hand(ctx context.Context, p gate.Party, items []store.Item) error {
	return w.n.exchange.Hand(ctx, exchange.Recipient{Party: p}, items)
}

func (w watched) Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error) {
	return w.n.exchange.Accept(ctx, v, s)
}

// Era differs with the register of organisations, that of constituents, the lists that are loaded, and the accords that stand.
func (w watched) Era() string {
	own, err := w.n.register.Current(context.Background())
	if err != nil {
		w.n.cfg.Log.Warn("the register of constituents cannot be read for what sensors look for", "error", err)
	}
	era := fmt.Sprintf("%d %x %s", w.n.ids.Generation(), own, guard(w).Generation())
	for _, s := range w.n.accords.Standings() {
		era += " " + s.State
	}
	return era
}

// Harmless says which warning list a value stands on, or whose service of the own register it is.
func (w watched) Harmless(ctx context.Context, p gate.Party, v indicator.Value) (code, why string, err error) {
	g, text := guard(w), v.Text()
	if list := g.Warned(text); list != "" {
		return "warninglist", "it stands on the warning list " + list, nil
	}
	switch v.Kind {
	case indicator.IPv4, indicator.IPv6, indicator.CIDR, indicator.Domain, indicator.URL, indicator.Email:
	default:
		return "", "", nil
	}
	owner, err := g.Owner(ctx, text)
	if err != nil || owner == "" {
		return "", "", err
	}
	if names := w.n.ring.Names(); p == (gate.Party{Nation: names.Nation, Org: names.Org}) {
		return "register", "it concerns a service of " + owner + ", who stands in the register of constituents", nil
	}
	return "register", "it concerns a service that stands in the register of constituents", nil
}

// Accord is the accord that the signed envelope of a record names, and whether it binds now, or a later version of it.
func (w watched) Accord(rec *record.Record) (name string, stands bool) {
	if rec.Envelope == nil {
		return "", true
	}
	var given struct {
		Accord peer.Digest `json:"accord"`
	}
	e, err := dsse.Parse(rec.Envelope)
	if err != nil || json.Unmarshal(e.Payload, &given) != nil || given.Accord == (peer.Digest{}) {
		return "", true // signed by the own organisation, under no accord
	}
	_, text, _, goesOn := w.n.accords.Signed(given.Accord)
	if text == nil {
		return "sha256:" + hex.EncodeToString(given.Accord[:]), false
	}
	for _, s := range w.n.accords.Standings() {
		if s.Name == text.Name {
			return text.Name, goesOn && s.Holds(w.n.ring.Names().Nation, rec.Origin.Nation, w.n.cfg.Now())
		}
	}
	return text.Name, false
}

// silent has the desk tell people of sensors that say nothing.
func (n *Node) silent(ctx context.Context, stand []detect.Silence) error {
	out := make([]notify.Alarm, len(stand))
	for i, s := range stand {
		out[i] = notify.Alarm{Nation: n.ring.Names().Nation, Kind: detect.AlarmSilent, Ref: s.Sensor, Since: s.Since}
	}
	return n.tell(ctx, alarmsOfSensors, out)
}

// vouching is the node's authority, as it vouches for sensors.
type vouching struct{ n *Node }

func (a vouching) shown() (chain []*x509.Certificate, err error) {
	b, err := os.ReadFile(a.n.cfg.TLS.Cert)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "tls.files", "cannot read the certificate that the node shows").Because(err)
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fault.New(fault.Unavailable, "tls.files", "cannot read the certificate that the node shows").Because(err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fault.New(fault.Unavailable, "tls.files", "the file of the node's certificate holds none")
	}
	return chain, nil
}

// Trust is the node's own authority, or the certificate that it shows where another made it.
func (a vouching) Trust() (*x509.Certificate, error) {
	switch a.n.cfg.TLS.Mode {
	case "auto":
		return a.n.ring.CA(), nil
	case "files":
		chain, err := a.shown()
		if err != nil {
			return nil, err
		}
		return chain[0], nil
	}
	return nil, fault.New(fault.Conflict, "sensor.tls", "sensors come with certificates over TLS, and this node listens without").At("tls.mode").Try("set tls.mode to auto or files")
}

func (a vouching) Roots() []byte {
	if a.n.cfg.TLS.Mode == "auto" {
		return a.n.ring.CAPEM()
	}
	chain, err := a.shown()
	if err != nil {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: a.n.cfg.Now()}); err == nil {
		return nil // whoever trusts what this machine trusts knows it
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw})
}

func (a vouching) Sign(name string, p gate.Party, csr []byte) (*x509.Certificate, []byte, error) {
	out, err := a.n.ring.IssueClient(keyring.ClientRequest{Nation: p.Nation, Org: p.Org, Person: name, CSR: csr, Life: sensorLife})
	return out.Certificate, out.CertPEM, err
}

func (a vouching) Admit(ctx context.Context, actor string, leaf *x509.Certificate, name string, p gate.Party) (string, error) {
	c, err := a.n.ids.RegisterCertificate(ctx, actor, leaf, identity.CertificateSpec{Name: name, Org: p.Org, Roles: []string{gate.RoleSensor}})
	return c.ID, err
}

func (a vouching) Dismiss(ctx context.Context, actor, id string) error {
	return a.n.ids.RevokeCertificate(ctx, actor, id)
}
