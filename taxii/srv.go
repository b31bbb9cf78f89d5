package taxii

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// SRVName is the DNS name whose SRV records announce the TAXII servers of a domain (section 3.9).
func SRVName(domain string) string {
	return "_taxii2._tcp." + strings.TrimSuffix(domain, ".") + "."
}

// OrderSRV sorts SRV records as they are to be tried: by priority, and within one at random by weight (RFC 2782). intn returns a number
// from 0 to below n.
func OrderSRV(records []*net.SRV, intn func(n int) int) []*net.SRV {
	rest := slices.Clone(records)
	// Records without weight come first, so that each has its small chance.
	slices.SortStableFunc(rest, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Weight, b.Weight))
	})
	out := make([]*net.SRV, 0, len(rest))
	for len(rest) > 0 {
		same, total := 0, 0
		for same < len(rest) && rest[same].Priority == rest[0].Priority {
			total += int(rest[same].Weight)
			same++
		}
		i, draw := 0, intn(total+1)
		for sum := int(rest[0].Weight); sum < draw && i < same-1; sum += int(rest[i].Weight) {
			i++
		}
		out = append(out, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return out
}

// LookupSRV returns the discovery URLs of a domain's TAXII servers in the order to try. lookup asks the DNS for a name's SRV records.
// What it says is only as true as the DNS is: the server still has to prove its name by its certificate.
func LookupSRV(ctx context.Context, domain string, lookup func(ctx context.Context, name string) ([]*net.SRV, error), intn func(n int) int) ([]string, error) {
	records, err := lookup(ctx, SRVName(domain))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range OrderSRV(records, intn) {
		host := strings.TrimSuffix(r.Target, ".")
		// A target of "." says that the service is decidedly not there.
		if host == "" || r.Port == 0 {
			continue
		}
		if r.Port != 443 {
			host = net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
		}
		u := url.URL{Scheme: "https", Host: host, Path: "/taxii2/"}
		out = append(out, u.String())
	}
	return out, nil
}
