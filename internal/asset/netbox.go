package asset

import (
	"bytes"
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/register"
)

// netbox is what an export of NetBox says: answers of its REST interface one after another, or one table of its CSV export. A tenant is
// a constituent; what has no tenant belongs to that of its site, else to the one that the import names.
type netbox struct {
	p        *plan
	fallback string
	tenantOf map[string]string // by folded name of the site
	slugs    map[string]string // of tenants, by folded name
	sites    []entry
	things   []entry
	tenants  []entry
}

// entry is one object of NetBox, as words under the names of its members.
type entry struct {
	row   int
	words map[string]string
}

func (e *entry) get(names ...string) string {
	for _, n := range names {
		if w := e.words[n]; w != "" {
			return w
		}
	}
	return ""
}

func readNetBox(raw []byte, p *plan, fallback string) error {
	n := &netbox{p: p, fallback: fallback, tenantOf: map[string]string{}, slugs: map[string]string{}}
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), " \t\r\n")
	read := n.readTable
	if len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		read = n.readREST
	}
	if err := read(raw); err != nil {
		return err
	}
	n.resolve()
	return nil
}

// readREST reads answers of the REST interface: pages with results, lists, and objects that hold several under the names of their
// endpoints.
func (n *netbox) readREST(raw []byte) error {
	return values(raw, "results", func(v jsontext.Value) error {
		if v.Kind() != '{' {
			return n.note(entry{})
		}
		grouped := false
		for _, name := range []string{"tenants", "sites", "prefixes", "ip_addresses", "ip-addresses", "devices", "virtual_machines", "virtual-machines", "asns"} {
			inner, ok := member(v, name)
			if !ok {
				continue
			}
			if inner.Kind() == '{' {
				if results, ok := member(inner, "results"); ok {
					inner = results
				}
			}
			if inner.Kind() == '[' {
				grouped = true
				if err := elements(inner, n.object); err != nil {
					return err
				}
			}
		}
		if grouped {
			return nil
		}
		return n.object(v)
	})
}

// object flattens an object of the REST interface: of an object within, the name that people know it by counts.
func (n *netbox) object(v jsontext.Value) error {
	var members map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &members) != nil {
		return n.note(entry{})
	}
	e := entry{words: map[string]string{}}
	for name, val := range members {
		e.words[name] = word(val)
		if val.Kind() == '{' {
			for _, inner := range []string{"slug", "manufacturer"} {
				if w, ok := member(val, inner); ok {
					e.words[name+"."+inner] = word(w)
				}
			}
		}
	}
	return n.note(e)
}

// word is a value as a word: of an object its name, model, address or label, in this order.
func word(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		var s string
		if json.Unmarshal(v, &s) == nil {
			return strings.TrimSpace(s)
		}
	case '0':
		return string(v)
	case '{':
		for _, name := range []string{"name", "model", "value", "display", "label", "slug", "address"} {
			if w, ok := member(v, name); ok && w.Kind() == '"' {
				return word(w)
			}
		}
	}
	return ""
}

// readTable reads one table of NetBox's CSV export.
func (n *netbox) readTable(raw []byte) error {
	t, err := openTable(raw)
	if err != nil {
		return err
	}
	for {
		more, err := t.next()
		if err != nil || !more {
			return err
		}
		e := entry{row: t.line, words: map[string]string{}}
		for i, c := range t.columns {
			if i < len(t.cells) {
				e.words[c] = strings.TrimSpace(t.cells[i])
			}
		}
		if e.words["address"] == "" {
			e.words["address"] = e.words["ip_address"]
		}
		if err := n.note(e); err != nil {
			return err
		}
	}
}

// note keeps an object by what it is.
func (n *netbox) note(e entry) error {
	if err := n.p.count(); err != nil {
		return err
	}
	if e.row == 0 {
		e.row = n.p.rows
	}
	switch kindOf(&e) {
	case "tenant":
		n.tenants = append(n.tenants, e)
		n.slugs[fold(e.get("name"))] = e.get("slug")
	case "site":
		if t := e.get("tenant"); t != "" {
			n.tenantOf[fold(e.get("name"))] = t
		}
		n.sites = append(n.sites, e)
	case "":
		n.p.refuse(e.row, e.get("name", "display"), "", "netbox.kind", "this is none of tenant, site, prefix, address, device, virtual machine and autonomous system")
	default:
		n.things = append(n.things, e)
	}
	return nil
}

// kindOf tells what an object is by its address in the interface, else by the members that only that kind has.
func kindOf(e *entry) string {
	for part, kind := range map[string]string{"/ipam/prefixes/": "prefix", "/ipam/ip-addresses/": "address", "/tenancy/tenants/": "tenant", "/dcim/sites/": "site",
		"/dcim/devices/": "device", "/virtualization/virtual-machines/": "machine", "/ipam/asns/": "asn"} {
		if strings.Contains(e.words["url"], part) {
			return kind
		}
	}
	has := func(name string) bool { _, ok := e.words[name]; return ok }
	switch {
	case e.words["prefix"] != "":
		return "prefix"
	case e.words["address"] != "" && strings.ContainsAny(e.words["address"], ".:"):
		return "address"
	case e.words["asn"] != "" && has("rir"):
		return "asn"
	case has("device_type") || has("type") && has("manufacturer"):
		return "device"
	case has("vcpus") || has("cluster"):
		return "machine"
	case has("name") && (has("facility") || has("time_zone") || has("region")):
		return "site"
	case has("name") && has("slug"), has("name") && has("group") && !has("tenant"):
		return "tenant"
	}
	return ""
}

// resolve gives everything to its constituent.
func (n *netbox) resolve() {
	for i := range n.tenants {
		e := &n.tenants[i]
		if d := n.of(e, e.get("name")); d != nil {
			d.c.Description = cmp.Or(d.c.Description, e.get("description", "comments"))
		}
	}
	devices := map[*draft]map[register.Software]int{}
	for i := range n.things {
		e := &n.things[i]
		site := e.get("site", "scope")
		d := n.of(e, cmp.Or(e.get("tenant"), n.tenantOf[fold(site)], n.fallback))
		if d == nil {
			continue
		}
		row := &draft{c: register.Constituent{Name: d.c.Name}, kinds: map[string]bool{}}
		switch kindOf(e) {
		case "prefix":
			row.kinds["network"] = true
			p, err := netip.ParsePrefix(e.get("prefix"))
			if err != nil {
				n.p.refuse(e.row, d.c.Name, "prefix", "netbox.prefix", "%q is not a prefix", clip(e.get("prefix")))
				continue
			}
			row.c.Networks = []register.Network{{Range: p.Masked().String(), Name: line(e.get("description", "role")), Site: line(site)}}
		case "address":
			row.kinds["network"] = true
			text, _, _ := strings.Cut(e.get("address"), "/")
			a, err := netip.ParseAddr(text)
			if err != nil {
				n.p.refuse(e.row, d.c.Name, "address", "netbox.address", "%q is not an address", clip(e.get("address")))
				continue
			}
			row.c.Networks = []register.Network{{Range: a.Unmap().String(), Name: line(e.get("dns_name", "description")), Site: line(site)}}
			if name, ok := register.HostName(e.get("dns_name")); ok {
				row.kinds["domain"] = true
				row.c.Domains = []register.Domain{{Name: name}}
			}
		case "asn":
			v, err := strconv.ParseUint(e.get("asn"), 10, 32)
			if err != nil || v == 0 {
				n.p.refuse(e.row, d.c.Name, "asn", "netbox.asn", "%q is not the number of an autonomous system", clip(e.get("asn")))
				continue
			}
			row.kinds["asn"] = true
			row.c.ASNs = []uint32{uint32(v)}
		default:
			vendor := e.get("device_type.manufacturer", "manufacturer")
			for _, s := range []register.Software{{Vendor: line(vendor), Product: line(e.get("device_type", "type"))}, {Vendor: line(vendor), Product: line(e.get("platform"))}} {
				if s.Product == "" {
					continue
				}
				if devices[d] == nil {
					devices[d] = map[register.Software]int{}
				}
				devices[d][s]++
			}
			continue
		}
		if err := row.c.CheckDraft(); err != nil {
			pointer, code, message := problemOf(err)
			n.p.refuse(e.row, d.c.Name, pointer, code, "%s", message)
			continue
		}
		d.gather(row)
	}
	for d, list := range devices {
		d.kinds["software"] = true
		for s, count := range list {
			s.Count = count
			d.c.Software = append(d.c.Software, s)
		}
	}
}

// of is the draft of a tenant.
func (n *netbox) of(e *entry, tenant string) *draft {
	tenant = line(tenant)
	if tenant == "" {
		n.p.refuse(e.row, "", "tenant", "netbox.tenant", "this belongs to no tenant, nor does its site: give it one in NetBox, or name a constituent for what has none")
		return nil
	}
	d := n.p.of(tenant, e.row)
	slug := cmp.Or(n.slugs[fold(tenant)], e.get("tenant.slug"))
	if slug != "" && len(d.c.ExternalRefs) == 0 {
		d.c.ExternalRefs = []register.Source{{Name: "netbox", ID: "tenant/" + line(slug)}}
	}
	return d
}

// line is a word that the register can hold: one line, not too long.
func line(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > 255 {
		s = strings.TrimSpace(strings.ToValidUTF8(s[:255], ""))
	}
	return s
}
