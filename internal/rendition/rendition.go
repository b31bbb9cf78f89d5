// Package rendition makes what an audience may have of an object: the object itself where nothing is to be taken out, a reduced copy under an id of
// its own, or nothing. It is pure: no store, no clock. A reduced copy shows no trace of what it lost: no null, no placeholder, no hole.
package rendition

// Plan says what one audience may have. What it does not say is not had.
type Plan struct {
	Key        []byte                    // K_aud: makes the ids of reduced copies; MinKey bytes at least
	Strip      []string                  // "type" or "type.property", taken out
	Anonymise  []string                  // roles whose identity is taken out ("victim"): every identity that the object names, and exact times
	Author     bool                      // who made it may be named
	Sees       func(id string) Class     // how the audience has the object of that id; nil: not at all
	May        func(marking string) bool // whether the audience may have what a granular marking with that id covers; nil: no
	Names      []string                  // words that must not occur in any text: names of hidden objects, titles of hidden accords
	Internal   []string                  // source names of external references that stay at home
	Extensions []string                  // ids of extensions and names of own properties that may leave; a trailing * stands for any ending
	Previous   func(id string) []byte    // the reduced copy that the audience has of an object's version before; nil: of none
}

// MinKey is the least length of a key, in bytes.
const MinKey = 16

// Class is how an audience has an object.
type Class uint8

const (
	Withheld Class = iota // not at all
	Reduced               // as a copy under another id
	Full                  // as it is
)

func (c Class) String() string {
	return [...]string{"withheld", "reduced", "full"}[min(c, Full)]
}

// Result is what an audience may have of one object.
type Result struct {
	Class   Class
	ID      string   // of the body; empty where it is withheld
	Body    []byte   // Full: the bytes given, untouched; Reduced: valid STIX 2.1
	Same    bool     // Reduced: Body is what the audience has already, so that nothing new goes out
	Removed []string // JSON pointers of what was taken out, for the owner's eyes
	Why     Why      // of what is withheld
}

// Why says why an object is withheld, for the owner's eyes.
type Why struct {
	Code     string // "rendition.text"
	Pointer  string // where in the object
	Sentence string
	Review   bool // a person may find a way: nothing but text stands in it
}
