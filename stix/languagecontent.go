package stix

// contents checks the property contents of a language-content object (7.1): a dictionary by language of properties and their texts.
func (c *checker) contents(v value) {
	if !c.wants(v, kindObject, "a dictionary of languages") {
		return
	}
	if v.count() == 0 {
		c.report("property.empty", "7.1", "contents must not be empty")
	}
	for key, texts := range v.members {
		c.path = append(c.path, pathStep{key: key.at})
		if tag := key.text(); !isLanguage(tag) {
			c.report("language.tag", "7.1", quote(tag)+" is not a language tag (RFC 5646)")
		}
		if c.wants(texts, kindObject, "a dictionary of properties") {
			c.translated(texts)
		}
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) translated(v value) {
	if v.count() == 0 {
		c.report("property.empty", "7.1", "a language must have at least one property")
	}
	for key, val := range v.members {
		c.path = append(c.path, pathStep{key: key.at})
		if name := key.bytes(); !isPropertyName(name) {
			c.report("property.name", "7.1", quote(string(name))+" cannot be a property's name")
		}
		switch val.kind() {
		case kindString, kindObject:
		case kindList:
			if val.count() == 0 {
				c.report("property.empty", "7.1", "a list must not be empty")
			}
		default:
			c.report("language.reference", "", "a translation is a text, a list or an object, not "+val.kind().String())
		}
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) languageContent(v value) {
	if ref := v.get("object_ref"); ref.text() == c.o.id {
		c.at(value{c.o, ref.at - 1}, "language.reference", "", "the object must not refer to itself")
	}
}

// ValidateLanguage checks a language-content object against the object it translates (7.1): object_ref and object_modified must name
// exactly that version, every property must exist in it, and a list must have as many items as the original ("" for the items that
// are not translated). The findings point into the language-content object.
func ValidateLanguage(content, original *Object, opt Options) []Finding {
	c := checker{o: content, opt: &opt}
	c.path = c.pathBuf[:0]
	root := content.root()
	if root.get("object_ref").text() != original.id {
		c.atName(root, "object_ref", "language.reference", "", "object_ref does not name "+original.id)
	}
	if m := root.get("object_modified"); m.ok() && m.text() != original.Version() {
		c.atName(root, "object_modified", "language.reference", "", "object_modified is not exactly "+quote(original.Version()))
	}
	contents := root.get("contents")
	if contents.isObject() {
		c.path = append(c.path, pathStep{key: contents.at - 1})
		for key, texts := range contents.members {
			c.path = append(c.path, pathStep{key: key.at})
			c.compare(texts, original.root())
			c.path = c.path[:len(c.path)-1]
		}
	}
	sortFindings(c.out)
	return c.out
}

func (c *checker) compare(translation, original value) {
	if translation.kind() != original.kind() {
		c.report("language.reference", "", "the translation is "+translation.kind().String()+" where the object has "+original.kind().String())
		return
	}
	switch translation.kind() {
	case kindList:
		if translation.count() != original.count() {
			c.report("language.reference", "", "the list has not as many items as that of the object; use \"\" for items that are not translated")
			return
		}
		in := original.at + 1
		for i, item := range translation.items {
			if item.kind() != kindString || len(item.bytes()) > 0 {
				c.path = append(c.path, pathStep{index: i})
				c.compare(item, value{original.o, in})
				c.path = c.path[:len(c.path)-1]
			}
			in = original.o.tape[in].next
		}
	case kindObject:
		originals := containerOf(original)
		for key, val := range translation.members {
			c.path = append(c.path, pathStep{key: key.at})
			if in := originals[key.text()]; in.ok() {
				c.compare(val, in)
			} else {
				c.report("language.reference", "", "the object has no property "+quote(key.text()))
			}
			c.path = c.path[:len(c.path)-1]
		}
	}
}
