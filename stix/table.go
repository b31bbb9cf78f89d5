package stix

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed types.tab
var typesTab string

//go:embed vocabularies.tab
var vocabulariesTab string

type class uint8

const (
	classUnknown class = iota
	classSDO
	classSRO
	classSCO
	classMeta
	classBundle
	classStruct
	classExt
)

type propKind uint8

const (
	propAny propKind = iota
	propString
	propBool
	propInt
	propFloat
	propTime
	propTime3 // at least three digits of fraction
	propHex
	propBin
	propURI
	propLang
	propID
	propRef
	propDict
	propHashes
	propVocab
	propEnum
	propStruct
	propObservables
	propExtensions
	propSelector
	propCPE
	propCharset
	propIPv4
	propIPv6
	propMAC
	propSpec
	propContents
)

var propKinds = map[string]propKind{
	"any": propAny, "string": propString, "bool": propBool, "int": propInt, "float": propFloat, "time": propTime, "time3": propTime3,
	"hex": propHex, "bin": propBin, "uri": propURI, "lang": propLang, "id": propID, "ref": propRef, "dict": propDict, "hashes": propHashes,
	"vocab": propVocab, "enum": propEnum, "struct": propStruct, "observables": propObservables, "extensions": propExtensions,
	"selector": propSelector, "cpe": propCPE, "charset": propCharset, "ipv4": propIPv4, "ipv6": propIPv6, "mac": propMAC, "spec": propSpec,
	"contents": propContents,
}

// A prop is what the table says of one property.
type prop struct {
	name       string
	kind       propKind
	list       bool
	required   bool
	deprecated bool
	common     bool // one of the common properties of its class
	bit        uint64
	arg        string
	lo, hi     float64
	refs       *refTargets
	vocab      *vocabulary
	sub        *typeDef
}

// refTargets is the types a reference may name.
type refTargets struct {
	classes [classExt + 1]bool
	types   []string
	any     bool
}

// allows tells whether a reference may name typ. Of a type that the standard does not define nothing is known, so that it is allowed
// wherever a whole class is.
func (r *refTargets) allows(typ string) bool {
	if r.any {
		return true
	}
	if slices.Contains(r.types, typ) {
		return true
	}
	if def := types().byName[typ]; def != nil {
		return r.classes[def.class]
	}
	return r.classes[classSDO] || r.classes[classSCO] || r.classes[classSRO]
}

type vocabulary struct {
	name    string
	section string
	values  map[string]struct{}
}

// A typeDef is what the table says of one type of object, sub-type or predefined extension.
type typeDef struct {
	name     string
	class    class
	section  string
	of       string // the type a predefined extension belongs to
	props    map[string]*prop
	ordered  []*prop
	required uint64 // the bits of the required properties
}

type typeTable struct {
	byName  map[string]*typeDef // objects and the bundle
	structs map[string]*typeDef
	exts    map[string]*typeDef
	vocabs  map[string]*vocabulary
	names   []string // of objects, in the order of the table

	commonSDO, commonSCO *typeDef // the common properties alone
}

// types is the table, read once. A mistake in the table is a mistake in the program, so that it panics at the first use, in any test.
var types = sync.OnceValue(func() *typeTable {
	t := &typeTable{
		byName: map[string]*typeDef{}, structs: map[string]*typeDef{}, exts: map[string]*typeDef{}, vocabs: map[string]*vocabulary{},
	}
	t.readVocabularies()
	common := map[string]*typeDef{}
	var def *typeDef
	for line := range strings.Lines(typesTab) {
		indented := strings.HasPrefix(line, " ")
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
		case !indented:
			def = t.define(f, common)
		case f[0] == "like":
			for _, p := range common[f[1]].ordered {
				def.add(p)
			}
		default:
			p := t.property(f)
			p.common = strings.HasPrefix(def.name, "common-")
			def.add(p)
		}
	}
	t.commonSDO, t.commonSCO = common["common-sdo"], common["common-sco"]
	t.link(t.commonSDO)
	t.link(t.commonSCO)
	for _, def := range t.byName {
		t.link(def)
	}
	for _, def := range t.structs {
		t.link(def)
	}
	for _, def := range t.exts {
		t.link(def)
	}
	return t
})

func (t *typeTable) readVocabularies() {
	for line := range strings.Lines(vocabulariesTab) {
		head, values, found := strings.Cut(line, ":")
		f := strings.Fields(head)
		if !found || len(f) != 2 {
			continue
		}
		v := &vocabulary{name: f[0], section: f[1], values: map[string]struct{}{}}
		for _, word := range strings.Fields(values) {
			v.values[word] = struct{}{}
		}
		t.vocabs[v.name] = v
	}
}

func (t *typeTable) define(f []string, common map[string]*typeDef) *typeDef {
	def := &typeDef{props: map[string]*prop{}}
	if strings.HasPrefix(f[0], "common-") {
		def.name, def.section = f[0], f[2]
		common[f[0]] = def
		return def
	}
	def.name, def.section = f[1], f[2]
	switch f[0] {
	case "sdo":
		def.class = classSDO
	case "sro":
		def.class = classSRO
	case "sco":
		def.class = classSCO
	case "meta":
		def.class = classMeta
	case "bundle":
		def.class = classBundle
	case "struct":
		def.class = classStruct
		t.structs[def.name] = def
		return def
	case "ext":
		def.class, def.of = classExt, f[4]
		t.exts[def.name] = def
		return def
	default:
		panic("stix: types.tab: no class " + f[0])
	}
	t.byName[def.name] = def
	t.names = append(t.names, def.name)
	if base := common["common-"+f[0]]; base != nil {
		for _, p := range base.ordered {
			def.add(p)
		}
	}
	return def
}

func (d *typeDef) add(p *prop) {
	own := *p
	own.bit = 1 << len(d.ordered)
	if own.bit == 0 || d.props[p.name] != nil {
		panic("stix: types.tab: too many properties, or one twice: " + d.name + "." + p.name)
	}
	if own.required {
		d.required |= own.bit
	}
	d.props[own.name] = &own
	d.ordered = append(d.ordered, &own)
}

func (t *typeTable) property(f []string) *prop {
	if len(f) != 2 {
		panic("stix: types.tab: not a property: " + fmt.Sprint(f))
	}
	p := &prop{name: f[0], lo: math.Inf(-1), hi: math.Inf(1)}
	p.name, p.deprecated = strings.CutSuffix(p.name, "~")
	p.name, p.required = strings.CutSuffix(p.name, "!")
	kindName, arg, _ := strings.Cut(f[1], ":")
	kindName, p.list = strings.CutPrefix(kindName, "*")
	kind, known := propKinds[kindName]
	if !known {
		panic("stix: types.tab: no kind " + f[1])
	}
	p.kind, p.arg = kind, arg
	switch kind {
	case propInt, propFloat:
		if lo, hi, ranged := strings.Cut(arg, ".."); ranged {
			p.lo, _ = strconv.ParseFloat(lo, 64)
			if hi != "" {
				p.hi, _ = strconv.ParseFloat(hi, 64)
			}
		}
	case propVocab, propEnum:
		if p.vocab = t.vocabs[arg]; p.vocab == nil {
			panic("stix: types.tab: no vocabulary " + arg)
		}
	case propRef:
		p.refs = readTargets(arg)
	}
	return p
}

func readTargets(arg string) *refTargets {
	r := &refTargets{}
	for target := range strings.SplitSeq(arg, "|") {
		switch target {
		case "@any":
			r.any = true
		case "@sdo":
			r.classes[classSDO] = true
		case "@sro":
			r.classes[classSRO] = true
		case "@sco":
			r.classes[classSCO] = true
		case "@meta":
			r.classes[classMeta] = true
		default:
			r.types = append(r.types, target)
		}
	}
	return r
}

func (t *typeTable) link(def *typeDef) {
	for _, p := range def.ordered {
		if p.kind == propStruct {
			if p.sub = t.structs[p.arg]; p.sub == nil {
				panic("stix: types.tab: no struct " + p.arg)
			}
		}
	}
}

// Types is the names of the object types the standard defines, the bundle left out.
func Types() []string {
	t := types()
	out := make([]string, 0, len(t.names))
	for _, name := range t.names {
		if t.byName[name].class != classBundle {
			out = append(out, name)
		}
	}
	return out
}

func isClass(typ string, c class) bool {
	def := types().byName[typ]
	return def != nil && def.class == c
}

// IsSDO tells whether typ is a domain object type of the standard (section 4).
func IsSDO(typ string) bool { return isClass(typ, classSDO) }

// IsSRO tells whether typ is a relationship object type of the standard (section 5).
func IsSRO(typ string) bool { return isClass(typ, classSRO) }

// IsSCO tells whether typ is a cyber-observable object type of the standard (section 6).
func IsSCO(typ string) bool { return isClass(typ, classSCO) }

// IsMeta tells whether typ is a meta object type of the standard (section 7).
func IsMeta(typ string) bool { return isClass(typ, classMeta) }
