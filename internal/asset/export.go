package asset

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"entente/internal/gate"
	"entente/register"
)

// ExportJSON writes every constituent that is in force, as a list of objects.
func (r *Register) ExportJSON(ctx context.Context, v gate.Viewer, w io.Writer) error {
	out := bufio.NewWriter(w)
	sep := "[\n"
	var broken error
	err := r.each(ctx, v, func(view View) {
		if view.Constituent.Revoked || broken != nil {
			return
		}
		b, err := view.Constituent.Canonical()
		if err != nil {
			broken = err
			return
		}
		out.WriteString(sep)
		out.Write(b)
		sep = ",\n"
	})
	if err == nil {
		err = broken
	}
	if err != nil {
		return err
	}
	if sep == "[\n" {
		out.WriteString("[")
	}
	out.WriteString("\n]\n")
	return out.Flush()
}

// ExportCSV writes every constituent that is in force as the table that an import reads. Markings and ids elsewhere have no column.
func (r *Register) ExportCSV(ctx context.Context, v gate.Viewer, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(Columns()); err != nil {
		return err
	}
	var broken error
	err := r.each(ctx, v, func(view View) {
		if view.Constituent.Revoked || broken != nil {
			return
		}
		broken = writeRows(out, view.Constituent)
	})
	if err == nil {
		err = broken
	}
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// writeRows writes a constituent as rows.
func writeRows(out *csv.Writer, c *register.Constituent) error {
	columns := Columns()
	var err error
	row := func(kind string, cells map[string]string) {
		cells["constituent"], cells["kind"] = c.Name, kind
		line := make([]string, len(columns))
		for i, name := range columns {
			line[i] = cells[name]
		}
		if e := out.Write(line); err == nil {
			err = e
		}
	}
	row("constituent", map[string]string{"id": c.ID, "criticality": string(c.Criticality), "description": c.Description, "country": c.Country, "org": c.Org,
		"aliases": strings.Join(c.Aliases, "; "), "sectors": strings.Join(c.Sectors, "; "), "languages": strings.Join(c.Languages, "; ")})
	for _, x := range c.Contacts {
		receives := make([]string, len(x.Receives))
		for i, s := range x.Receives {
			receives[i] = string(s)
		}
		row("contact", map[string]string{"name": x.Name, "role": x.Role, "email": x.Email, "phone": x.Phone, "hours": writeHours(x.Hours), "languages": strings.Join(x.Languages, "; "),
			"webhook": x.Webhook, "receives": strings.Join(receives, "; "), "purpose": x.Purpose, "pgp_key": x.PGPKey, "smime_certificate": x.SMIME})
	}
	for _, x := range c.Networks {
		row("network", map[string]string{"value": x.Range, "name": x.Name, "site": x.Site, "criticality": string(x.Criticality), "shared": yes(x.Shared)})
	}
	for _, x := range c.ASNs {
		row("asn", map[string]string{"value": "AS" + strconv.FormatUint(uint64(x), 10)})
	}
	for _, x := range c.Domains {
		row("domain", map[string]string{"value": x.Name, "include_subdomains": yes(x.IncludeSubdomains), "criticality": string(x.Criticality), "shared": yes(x.Shared)})
	}
	for _, x := range c.Certificates {
		value := x.SHA256
		if value == "" {
			value = x.Serial
		}
		row("certificate", map[string]string{"value": value, "issuer": x.Issuer, "subject": x.Subject})
	}
	for _, x := range c.Software {
		count := ""
		if x.Count > 0 {
			count = strconv.Itoa(x.Count)
		}
		row("software", map[string]string{"value": x.CPE + x.PURL, "vendor": x.Vendor, "product": x.Product, "version": x.Version, "criticality": string(x.Criticality), "count": count})
	}
	return err
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
