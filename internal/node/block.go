package node

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"entente/internal/asset"
	"entente/internal/block"
	"entente/internal/gate"
	"entente/register"
)

// openBlock makes the room of what is blocked.
func (n *Node) openBlock() {
	names := n.ring.Names()
	n.block = block.New(block.Options{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Config: n.cfg.Block, Door: n.exchange, Guard: guard{n}, Signer: n.ring, Accord: n.accordOf, Watched: register.Type,
		State: filepath.Join(n.cfg.Data, "block.json"), Now: n.cfg.Now})
}

// purged has the rooms that keep files of their own forget what was destroyed. Those that follow the journal do so by themselves.
func (n *Node) purged() {
	if n.block != nil {
		n.block.Purged()
	}
}

// Block is what enforcement points are given.
func (n *Node) Block() *block.Room { return n.block }

// insider is who asks the register for the node itself.
func (n *Node) insider(role string) gate.Viewer {
	names := n.ring.Names()
	return gate.Viewer{Nation: names.Nation, Org: names.Org, Person: "node", Roles: []string{role}, Realm: names.Realm}
}

// accordOf is the accord under which an object came last; empty: under none.
func (n *Node) accordOf(ctx context.Context, id string) string {
	came, err := n.federation.Came(ctx, n.insider(gate.RoleAuditor), id)
	if err != nil || len(came) == 0 {
		return ""
	}
	return came[len(came)-1].Accord
}

// guard is what must not be blocked, as the rooms know it.
type guard struct{ n *Node }

func (g guard) Warned(value string) string {
	if p, err := netip.ParsePrefix(value); err == nil {
		if list := g.n.lists.Inside(p); list != "" {
			return list
		}
	}
	return g.n.lists.Known(value)
}

func (g guard) Owner(ctx context.Context, value string) (string, error) {
	found, err := g.n.register.Match(ctx, g.n.insider(gate.RoleRegistrar), value)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].Name, nil
}

func (g guard) Names(ctx context.Context) (out []string, err error) {
	q := asset.Query{Limit: 1000}
	for {
		page, next, err := g.n.register.List(ctx, g.n.insider(gate.RoleRegistrar), q)
		if err != nil {
			return nil, err
		}
		for _, v := range page {
			for _, a := range v.Constituent.Domains {
				out = append(out, a.Name)
			}
		}
		if next == 0 {
			return out, nil
		}
		q.After = next
	}
}

func (g guard) Hosts(context.Context) ([]string, error) { return g.hosts(), nil }

func (g guard) hosts() (out []string) {
	c := &g.n.cfg
	add := func(s string) {
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			s = u.Host
		}
		if host, _, err := net.SplitHostPort(s); err == nil {
			s = host
		}
		if s = strings.Trim(s, "[]"); s != "" {
			out = append(out, s)
		}
	}
	for _, s := range slices.Concat([]string{c.Listen, c.Federation.Listen}, c.TLS.Hosts, c.Auth.Origins) {
		add(s)
	}
	for _, f := range c.Feeds {
		add(f.URL)
	}
	for _, p := range c.Auth.OIDC {
		add(p.Issuer)
	}
	for _, s := range c.Notify.SMTP {
		add(s.Host)
	}
	for _, h := range c.Notify.Webhooks {
		add(h.URL)
	}
	for _, p := range g.n.peers.List() {
		add(p.Address)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (g guard) Generation() string {
	return g.n.lists.Summary().Loaded.Format(time.RFC3339Nano) + " " + strings.Join(g.hosts(), " ")
}
