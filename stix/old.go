package stix

// old checks what is left to check of an object of STIX 2.0: the forms of its id, type and timestamps.
func (c *checker) old(root value) {
	c.report("spec.old", "", "the object has no spec_version and is taken for STIX 2.0")
	c.identity(root)
	for _, name := range []string{"created", "modified"} {
		v := root.get(name)
		switch {
		case !v.ok():
			if name == "created" || c.o.typ != "marking-definition" {
				c.report("property.required", "3.2", "the property "+name+" is required")
			}
		case v.kind() != kindString:
			c.atName(root, name, "property.kind", "", "the value must be a string, not "+v.kind().String())
		case !isTimestamp(v.bytes()):
			c.atName(root, name, "timestamp.format", "", quote(v.text())+" is not a timestamp of the form 2026-01-31T12:00:00.000Z")
		}
	}
	c.notBefore(root, "created", "modified", false, "3.6")
}
