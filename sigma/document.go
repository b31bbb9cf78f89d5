package sigma

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What one text may hold. A text that holds more is refused as a whole: nobody writes it by hand.
const (
	MaxBytes     = 16 << 20 // of one text
	MaxDocuments = 20_000   // in one text
	MaxDepth     = 32       // of nested lists and maps
	MaxNodes     = 50_000   // in one document, aliases counted as often as they are used
)

// documents reads every YAML document of a text, within the bounds. What it gives back holds no alias to itself.
func documents(src []byte, r *report) (docs []*yaml.Node) {
	if len(src) > MaxBytes {
		r.fail(Position{}, CodeSize, "the text has %d bytes and may have %d: split it", len(src), MaxBytes)
		return nil
	}
	if !utf8.Valid(src) {
		r.fail(Position{}, CodeYAML, "the text is not UTF-8: save it as UTF-8")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			r.fail(yamlPosition(err), CodeYAML, "the text is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
			return docs
		}
		if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || isNull(doc.Content[0]) {
			continue // an empty document between two marks
		}
		if len(docs) == MaxDocuments {
			r.fail(at(&doc), CodeSize, "the text has more than %d documents: split it", MaxDocuments)
			return docs
		}
		left := MaxNodes
		if n := measure(doc.Content[0], MaxDepth, &left); n != nil {
			r.fail(at(n), CodeSize, "the document has more than %d values or is nested deeper than %d: split it", MaxNodes, MaxDepth)
			continue
		}
		docs = append(docs, doc.Content[0])
	}
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// yamlPosition takes the line out of an error of the YAML reader, which has it only as words.
func yamlPosition(err error) Position {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return Position{line, 1}
		}
	}
	return Position{}
}

// measure is the first node that is too deep or too many, nil where all is within the bounds.
func measure(n *yaml.Node, depth int, left *int) *yaml.Node {
	*left--
	if *left < 0 || depth < 0 {
		return n
	}
	if n.Kind == yaml.AliasNode {
		return measure(n.Alias, depth-1, left)
	}
	for _, c := range n.Content {
		if bad := measure(c, depth-1, left); bad != nil {
			return bad
		}
	}
	return nil
}

func at(n *yaml.Node) Position { return Position{n.Line, n.Column} }

// plain follows an alias to what it stands for.
func plain(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// entry is one pair of a map.
type entry struct {
	key   string
	at    Position // of the key
	value *yaml.Node
}

// entries are the pairs of a map in their order. Keys must be texts, each once.
func entries(n *yaml.Node, what string, r *report) []entry {
	n = plain(n)
	if n.Kind != yaml.MappingNode {
		r.fail(at(n), CodeForm, "%s must be a map of names and values, and is %s", what, kindName(n))
		return nil
	}
	seen := make(map[string]bool, len(n.Content)/2)
	out := make([]entry, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := plain(n.Content[i])
		switch {
		case k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge":
			r.fail(at(k), CodeForm, "a name in %s must be a text: write it in quotation marks", what)
		case seen[k.Value]:
			r.fail(at(k), CodeDuplicate, "%q stands twice in %s, and only one of them would count: put the values into one list, or use another name", k.Value, what)
		default:
			seen[k.Value] = true
			out = append(out, entry{k.Value, at(n.Content[i]), plain(n.Content[i+1])})
		}
	}
	return out
}

func kindName(n *yaml.Node) string {
	switch plain(n).Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// text reads one text.
func text(e entry, r *report) string {
	if e.value.Kind != yaml.ScalarNode {
		r.fail(at(e.value), CodeForm, "%s must be a text, and is %s", e.key, kindName(e.value))
		return ""
	}
	if isNull(e.value) {
		return ""
	}
	return e.value.Value
}

// texts reads a list of texts; a single text is a list of one.
func texts(e entry, r *report) (out []string) {
	if e.value.Kind == yaml.ScalarNode {
		if s := text(e, r); s != "" {
			out = append(out, s)
		}
		return out
	}
	if e.value.Kind != yaml.SequenceNode {
		r.fail(at(e.value), CodeForm, "%s must be a list of texts, and is %s", e.key, kindName(e.value))
		return nil
	}
	for _, n := range e.value.Content {
		if s := text(entry{e.key, e.at, plain(n)}, r); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// custom keeps what this package has no meaning for.
func custom(e entry, into *map[string]any, r *report) {
	var v any
	if err := e.value.Decode(&v); err != nil {
		r.fail(at(e.value), CodeValue, "the value of %s cannot be read: %s", e.key, strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if *into == nil {
		*into = map[string]any{}
	}
	(*into)[e.key] = v
}
