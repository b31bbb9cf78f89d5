package stix

import "fmt"

// A BundleResult is what ValidateBundle found.
type BundleResult struct {
	ID       string
	Findings []Finding // of the bundle as a whole, and of its objects among each other
	Objects  []ObjectResult
}

// An ObjectResult is one object of a bundle: the object, or where it cannot be read nil and the error as a finding.
type ObjectResult struct {
	Raw      []byte
	Object   *Object
	Findings []Finding
}

// Valid tells whether the bundle and every object in it are acceptable.
func (r *BundleResult) Valid(strict bool) bool {
	if !Valid(r.Findings, strict) {
		return false
	}
	for _, o := range r.Objects {
		if !Valid(o.Findings, strict) {
			return false
		}
	}
	return true
}

// bundleLimits are those of a whole bundle in memory; Split reads larger ones.
var bundleLimits = Limits{Size: 1 << 30, Items: 50_000_000}

// ValidateBundle checks a bundle (section 8) and each object in it. The error, an *Error, tells that raw is not a bundle at all.
// References that lead out of the bundle are legal and only mentioned.
func ValidateBundle(raw []byte, opt Options) (*BundleResult, error) {
	b, err := parseTree(raw, bundleLimits)
	if err != nil {
		return nil, err
	}
	if b.def == nil || b.def.class != classBundle {
		return nil, &Error{Code: "object.kind", Pointer: "/type", Section: "8", Message: "not a bundle, but of type " + quote(b.typ)}
	}
	root := b.root()
	b.id = root.get("id").text()
	c := checker{o: b, opt: &opt}
	c.path = c.pathBuf[:0]
	c.bundle(root)
	r := &BundleResult{ID: b.id}
	objects := root.get("objects")
	for _, item := range objects.items {
		r.Objects = append(r.Objects, validateItem(item, opt))
	}
	if objects.ok() {
		c.path = append(c.path, pathStep{key: objects.at - 1})
		c.among(r.Objects)
	}
	sortFindings(c.out)
	r.Findings = c.out
	return r, nil
}

func validateItem(item value, opt Options) ObjectResult {
	raw := item.raw()
	r := ObjectResult{Raw: raw[:len(raw):len(raw)]}
	o, err := Parse(r.Raw)
	if err != nil {
		f := Finding{Code: "bundle.object", Section: "8", Message: err.Error()}
		if e, ok := err.(*Error); ok {
			f.Code, f.Pointer, f.Section, f.Message = e.Code, e.Pointer, e.Section, e.Message
		}
		r.Findings = []Finding{f}
		return r
	}
	r.Object, r.Findings = o, Validate(o, opt)
	return r
}

func (c *checker) bundle(root value) {
	def := c.o.def
	if typ, _, ok := splitID(c.o.id); root.get("id").ok() && (!ok || typ != "bundle") {
		c.atName(root, "id", "id.format", "", quote(c.o.id)+" is not an identifier of the form bundle--UUID")
	} else if ok && c.o.id[len(c.o.id)-22] != '4' {
		c.atName(root, "id", "id.version", "", "the id should have a UUIDv4")
	}
	if !root.get("id").ok() {
		c.report("property.required", "8", "the property id is required")
	}
	old := root.get("spec_version").ok()
	for key, val := range root.members {
		name := string(key.bytes())
		switch {
		case name == "objects":
			if val.kind() != kindList {
				c.at(key, "property.kind", "", "the value must be a list, not "+val.kind().String())
			} else if val.count() == 0 {
				c.at(key, "property.empty", "2.12", "a list must not be empty; leave the property out")
			}
		case def.props[name] != nil:
		case name == "spec_version" && string(val.bytes()) == "2.0":
			c.at(key, "spec.old", "", "this is a bundle of STIX 2.0")
		case name == "spec_version" && old:
			c.at(key, "bundle.property", "", "a bundle of STIX 2.1 has no spec_version")
		default:
			c.at(key, "bundle.property", "", "the standard gives a bundle no property "+quote(name))
		}
	}
	objects := root.get("objects")
	for i, item := range objects.items {
		if item.kind() != kindObject {
			c.path = append(c.path, pathStep{key: objects.at - 1}, pathStep{index: i})
			c.report("bundle.object", "", "a bundle's objects are objects, not "+item.kind().String())
			c.path = c.path[:len(c.path)-2]
		}
	}
}

// among checks the objects of a bundle against each other: versions that are there twice, and references.
func (c *checker) among(objects []ObjectResult) {
	type version struct{ id, order string }
	first := make(map[version]int, len(objects))
	ids := make(map[string]*Object, len(objects))
	for i, r := range objects {
		if r.Object == nil {
			continue
		}
		v := version{r.Object.ID(), r.Object.Order()}
		c.path = append(c.path, pathStep{index: i})
		if at, twice := first[v]; twice {
			message := "the same version as object " + fmt.Sprint(at)
			if objects[at].Object.Digest() != r.Object.Digest() {
				message += ", with other content"
			}
			c.report("bundle.duplicate", "", message)
		} else {
			first[v] = i
		}
		c.path = c.path[:len(c.path)-1]
		ids[v.id] = r.Object
	}
	for i, r := range objects {
		if r.Object == nil {
			continue
		}
		c.path = append(c.path, pathStep{index: i})
		for _, ref := range r.Object.Refs() {
			if ids[ref.ID] == nil {
				c.report("bundle.reference", "", ref.Path+" leads to "+ref.ID+", which is not in the bundle")
				break
			}
		}
		if r.Object.Type() == "language-content" {
			if original := ids[r.Object.Text("/object_ref")]; original != nil && original.Version() == r.Object.Text("/object_modified") {
				for _, f := range ValidateLanguage(r.Object, original, *c.opt) {
					c.report(f.Code, f.Section, f.Pointer+": "+f.Message)
				}
			}
		}
		c.path = c.path[:len(c.path)-1]
	}
}
