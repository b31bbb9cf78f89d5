package register

import (
	"fmt"
	"net/url"
	"strings"
)

// Product is software as intelligence names it: by a CPE name, a package URL, or by product with vendor and version. Versions, where
// given, bounds what is concerned when the name itself leaves the version open.
type Product struct {
	CPE      string
	PURL     string
	Vendor   string
	Product  string
	Version  string
	Versions Versions
}

// Versions is a range of versions, as advisories give them. Empty bounds are open.
type Versions struct {
	From, After   string // from this one on; after this one
	Until, Before string // up to this one; before this one
}

// IsZero tells whether the range leaves everything open.
func (v Versions) IsZero() bool { return v == Versions{} }

// Contains tells whether a version lies in the range.
func (v Versions) Contains(version string) bool {
	return (v.From == "" || CompareVersions(version, v.From) >= 0) && (v.After == "" || CompareVersions(version, v.After) > 0) &&
		(v.Until == "" || CompareVersions(version, v.Until) <= 0) && (v.Before == "" || CompareVersions(version, v.Before) < 0)
}

// CompareVersions orders versions as most products count them: numbers by value, words by letters, a word before a number and before
// nothing more being said ("1.0-rc1" is before "1.0"), other characters only separate.
func CompareVersions(a, b string) int {
	for {
		var x, y string
		x, a = versionPart(a)
		y, b = versionPart(b)
		switch {
		case x == "" && y == "":
			return 0
		case x == "":
			return -standing(y)
		case y == "":
			return standing(x)
		}
		if c := compareParts(x, y); c != 0 {
			return c
		}
	}
}

// standing tells whether a version that goes on with this part comes after (1) the one that ends before it, or before it (-1).
func standing(part string) int {
	switch {
	case isDigits(part):
		if strings.Trim(part, "0") == "" {
			return 0
		}
		return 1
	case strings.HasPrefix(part, "rc"), strings.HasPrefix(part, "alpha"), strings.HasPrefix(part, "beta"), strings.HasPrefix(part, "pre"), strings.HasPrefix(part, "dev"):
		return -1
	}
	return 1
}

func compareParts(x, y string) int {
	dx, dy := isDigits(x), isDigits(y)
	switch {
	case dx && dy:
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
	case dx:
		return 1
	case dy:
		return -1
	}
	return strings.Compare(x, y)
}

func isDigits(s string) bool { return s[0] >= '0' && s[0] <= '9' }

// versionPart takes the next run of digits or of letters off a version, in lower case.
func versionPart(s string) (part, rest string) {
	class := func(c byte) byte {
		switch {
		case c >= '0' && c <= '9':
			return 'd'
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80:
			return 'a'
		}
		return 0
	}
	i := 0
	for i < len(s) && class(s[i]) == 0 {
		i++
	}
	j := i
	for j < len(s) && class(s[j]) == class(s[i]) {
		j++
	}
	return strings.ToLower(s[i:j]), s[j:]
}

// purl is a package URL (ECMA-427) without its qualifiers and subpath.
type purl struct{ typ, namespace, name, version string }

func parsePURL(s string) (purl, error) {
	bad := fmt.Errorf("%s is not a package URL, as pkg:npm/left-pad@1.3.0 is", quote(s))
	if len(s) > 1000 || len(s) < 4 || !strings.EqualFold(s[:4], "pkg:") {
		return purl{}, bad
	}
	rest, _, _ := strings.Cut(s[4:], "#")
	rest, _, _ = strings.Cut(rest, "?")
	rest = strings.Trim(rest, "/")
	typ, rest, ok := strings.Cut(rest, "/")
	if !ok || typ == "" {
		return purl{}, bad
	}
	p := purl{typ: strings.ToLower(typ)}
	if at := strings.LastIndexByte(rest, '@'); at > strings.LastIndexByte(rest, '/') {
		v, err := url.PathUnescape(rest[at+1:])
		if err != nil || v == "" {
			return purl{}, bad
		}
		rest, p.version = rest[:at], v
	}
	name := rest
	if at := strings.LastIndexByte(rest, '/'); at >= 0 {
		p.namespace, name = rest[:at], rest[at+1:]
	}
	var err1, err2 error
	p.namespace, err1 = url.PathUnescape(p.namespace)
	p.name, err2 = url.PathUnescape(name)
	if err1 != nil || err2 != nil || p.name == "" {
		return purl{}, bad
	}
	switch p.typ { // whose names are the same in any case
	case "github", "bitbucket", "gitlab", "pypi", "npm", "composer", "deb", "rpm", "apk":
		p.namespace, p.name = strings.ToLower(p.namespace), strings.ToLower(p.name)
	}
	return p, nil
}

// software is Software or Product read once, for comparing.
type software struct {
	cpe                      *CPE
	purl                     *purl
	vendor, product, version string // folded; version as it is
}

// readSoftware reads what names software; ok is false where nothing does.
func readSoftware(cpe, pkg, vendor, product, version string) (s software, ok bool) {
	switch {
	case cpe != "":
		c, err := ParseCPE(cpe)
		if err != nil {
			return s, false
		}
		s.cpe = &c
		s.vendor, s.product = folded(c[cpeVendor].Text()), folded(c[cpeProduct].Text())
		if c[cpeVersion].literal() {
			s.version = c[cpeVersion].Text()
		}
	case pkg != "":
		p, err := parsePURL(pkg)
		if err != nil {
			return s, false
		}
		s.purl = &p
		s.vendor, s.product, s.version = folded(p.namespace[strings.LastIndexByte(p.namespace, '/')+1:]), folded(p.name), p.version
	default:
		s.vendor, s.product, s.version = folded(vendor), folded(product), version
	}
	return s, s.product != "" || s.cpe != nil
}

// open tells whether the software is looked for among all, because its product is open.
func (s *software) open() bool { return s.cpe != nil && !s.cpe[cpeProduct].literal() }

// relate is how what intelligence names stands to what is registered.
func (s *software) relate(asset *software, versions Versions) relation {
	var r relation
	switch {
	case s.cpe != nil && asset.cpe != nil:
		r = s.cpe.compare(*asset.cpe)
	case s.purl != nil && asset.purl != nil:
		if s.purl.typ != asset.purl.typ || s.purl.namespace != asset.purl.namespace || s.purl.name != asset.purl.name {
			return disjoint
		}
		r = compareStated(s.version, asset.version, true)
	case (s.product == "" || asset.product == "") && (s.vendor == "" || s.vendor != asset.vendor):
		return disjoint // neither product nor vendor is known of both
	default:
		r = both(compareStated(s.product, asset.product, false), both(compareStated(s.vendor, asset.vendor, false), compareStated(s.version, asset.version, true)))
	}
	if r != disjoint && !versions.IsZero() && asset.version != "" && !versions.Contains(asset.version) {
		return disjoint
	}
	if r != disjoint && !versions.IsZero() && asset.version == "" {
		r = both(r, subset) // some versions of what is registered without one
	}
	return r
}

// compareStated compares two words of which either may be left open.
func compareStated(a, b string, version bool) relation {
	switch {
	case a == b:
		return equal
	case a == "":
		return superset
	case b == "":
		return subset
	case version && CompareVersions(a, b) == 0:
		return equal
	}
	return disjoint
}
