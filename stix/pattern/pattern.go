// Package pattern is the STIX 2.1 patterning language (STIX 2.1, section 9): it parses, checks and prints patterns, and decides
// whether observed data matches them.
//
// Parse gives a Pattern, an immutable tree that many goroutines may read and match at once. Its exported nodes are the input of
// any other engine: an Expression is what stands between square brackets or is joined by AND, OR and FOLLOWEDBY; a Condition is
// what stands inside the brackets; a Test is one property compared with a constant.
package pattern

import (
	"sync"
	"time"
)

// Limits of Parse. They hold for any input, from anyone.
const (
	MaxLength = 1 << 20 // bytes of one pattern
	MaxDepth  = 64      // nested parentheses
)

// Pattern is one valid pattern.
type Pattern struct {
	root     Expression
	source   string
	warnings []Problem // found while parsing; Warnings adds those that cost more

	tests      int // in the tree, each with its slot in evaluators
	once       sync.Once
	evaluators []evaluator
	broken     error // why it cannot be evaluated
}

// Root is the outermost observation expression. It must not be changed.
func (p *Pattern) Root() *Expression { return &p.root }

// Source is the text that was parsed.
func (p *Pattern) Source() string { return p.source }

// Equal tells whether two patterns are the same tree, whatever their spacing, comments and redundant parentheses.
func (p *Pattern) Equal(q *Pattern) bool { return p.String() == q.String() }

// Operator is how an Expression is made of others.
type Operator uint8

const (
	// Observe is one pair of square brackets: a Condition on one observation.
	Observe Operator = iota
	// Group is a parenthesised expression that carries its own qualifiers; it has one operand.
	Group
	// And needs every operand to match, each on observations of its own.
	And
	// Or needs one operand to match.
	Or
	// FollowedBy needs every operand to match, each on observations no earlier than those of the operands before it.
	FollowedBy
)

var operatorNames = [...]string{"[]", "()", "AND", "OR", "FOLLOWEDBY"}

func (o Operator) String() string { return operatorNames[o] }

// Expression is an observation expression (section 9.5) with the qualifiers that bind to it, in written order. Only Observe and
// Group carry qualifiers.
type Expression struct {
	Op         Operator
	Condition  Condition    // of Observe
	Operands   []Expression // of all others
	Qualifiers []Qualifier
	Offset     int // byte offset in the source
}

// QualifierKind is the kind of a Qualifier.
type QualifierKind uint8

const (
	// Repeats asks for Times different observations.
	Repeats QualifierKind = iota
	// Within asks that the latest observation comes less than Seconds after the earliest.
	Within
	// StartStop asks for observation times t with Start <= t < Stop.
	StartStop
)

var qualifierNames = [...]string{"REPEATS", "WITHIN", "START"}

func (k QualifierKind) String() string { return qualifierNames[k] }

// Qualifier restricts the observations that an expression may bind (section 9.5.1).
type Qualifier struct {
	Kind        QualifierKind
	Times       int64    // of Repeats, at least 1
	Seconds     Constant // of Within, an Integer or Float above 0
	Start, Stop Constant // of StartStop, timestamps
	Offset      int
}

// Join is how a Condition is made of others.
type Join uint8

const (
	// Single is one Test.
	Single Join = iota
	// All is AND: every operand holds for the same object.
	All
	// Any is OR.
	Any
)

// Condition is a comparison expression (section 9.6): one Test, or others joined by AND or OR.
type Condition struct {
	Join     Join
	Test     Test        // of Single
	Operands []Condition // of All and Any, at least two
}

// Comparator is the operator of a Test.
type Comparator uint8

// The comparison operators of section 9.6.1.
const (
	Equal Comparator = iota
	NotEqual
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
	In
	Like
	Matches
	IsSubset
	IsSuperset
	Exists
)

var comparatorNames = [...]string{"=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS"}

func (c Comparator) String() string { return comparatorNames[c] }

// Test compares the property at Path with a constant.
type Test struct {
	Path   Path
	Not    bool
	Op     Comparator
	Value  Constant   // of all but In and Exists
	Set    []Constant // of In, of one kind
	Offset int
	slot   int // in the evaluators of the pattern
}

// Path addresses a property (section 9.7): a type and the steps from an object of it.
type Path struct {
	Type  string
	Steps []Step // the first is a Key
}

// StepKind is the kind of a Step.
type StepKind uint8

const (
	// Key goes to a property or dictionary key by its name.
	Key StepKind = iota
	// Index goes to one item of a list, counted from 0.
	Index
	// Every goes to each item of a list: [*].
	Every
)

// Step is one step of a Path.
type Step struct {
	Kind  StepKind
	Key   string
	Index int64
}

// ConstantKind is the type of a Constant (section 9.2).
type ConstantKind uint8

// The constant types of section 9.2.
const (
	String ConstantKind = iota
	Integer
	Float
	Boolean
	Binary
	Hex
	Timestamp
)

var constantNames = [...]string{"string", "integer", "float", "boolean", "binary", "hex", "timestamp"}

func (k ConstantKind) String() string { return constantNames[k] }

// Constant is a literal value.
type Constant struct {
	Kind  ConstantKind
	Text  string  // of String the value, of Binary and Hex the octets, of Timestamp the text between the quotes
	Int   int64   // of Integer
	Float float64 // of Float
	Bool  bool    // of Boolean
}

// Time is the instant of a Timestamp constant. False: it names a day or second that no calendar has.
func (c Constant) Time() (time.Time, bool) {
	t, ok := parseInstant(c.Text)
	if !ok || !t.exists() {
		return time.Time{}, false
	}
	return t.time(), true
}
