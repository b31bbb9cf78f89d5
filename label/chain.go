package label

import (
	"slices"
	"strings"
)

// Every chain counts down from its strictest value, so that a zero value is never a permission.

// TLP is the Traffic Light Protocol 2.0 (FIRST, August 2022). The zero value is the strictest.
type TLP uint8

const (
	Red TLP = iota
	AmberStrict
	Amber
	Green
	Clear
)

var tlpNames = []string{"TLP:RED", "TLP:AMBER+STRICT", "TLP:AMBER", "TLP:GREEN", "TLP:CLEAR"}

// String is the label as FIRST writes it: "TLP:AMBER+STRICT".
func (t TLP) String() string { return nameOf(tlpNames, t) }

// PAP is the Permissible Actions Protocol: what a holder may do with what it learnt. The zero value is the strictest.
type PAP uint8

const (
	PAPAsk   PAP = iota // nothing before the originator was asked
	PAPRed              // passive and undetectable: own logs only
	PAPAmber            // passive cross-checks, third-party services
	PAPGreen            // active: block, ping
	PAPClear            // anything lawful
)

var papNames = []string{"PAP:ASK", "PAP:RED", "PAP:AMBER", "PAP:GREEN", "PAP:CLEAR"}

func (p PAP) String() string { return nameOf(papNames, p) }

// Onward is to whom a holder may pass it. The zero value is the strictest.
type Onward uint8

const (
	OnwardNone      Onward = iota // to nobody
	OnwardConsent                 // after the originator's consent
	OnwardAudience                // relayed unchanged within the audience
	OnwardCommunity               // within the community
	OnwardFree
)

var onwardNames = []string{"none", "consent", "audience-relay", "community", "free"}

func (o Onward) String() string { return nameOf(onwardNames, o) }

// Purge is when copies must be destroyed. The zero value is the strictest.
type Purge uint8

const (
	PurgeBoth          Purge = iota // on request, and when the agreement ends
	PurgeOnTermination              // when the agreement ends
	PurgeOnRequest                  // when the originator asks
	PurgeNone
)

var purgeNames = []string{"both", "on-termination", "on-request", "none"}

func (p Purge) String() string { return nameOf(purgeNames, p) }

// Access is whether a holder may keep a copy. The zero value is the strictest.
type Access uint8

const (
	View Access = iota // shown, not kept
	Copy
)

var accessNames = []string{"view", "copy"}

func (a Access) String() string { return nameOf(accessNames, a) }

// Attribution is whether the source may be named. May is the least strict, Withhold the strictest; Must and MustNot are incomparable and join
// to Withhold: what must and must not name its source cannot be shown at all with a source, so the source is kept back.
type Attribution uint8

const (
	Withhold Attribution = iota
	MustNot
	Must
	May
)

var attributionNames = []string{"withhold", "must-not", "must", "may"}

func (a Attribution) String() string { return nameOf(attributionNames, a) }

func joinAttribution(a, b Attribution) Attribution {
	switch {
	case a == b, b == May:
		return a
	case a == May:
		return b
	}
	return Withhold
}

func meetAttribution(a, b Attribution) Attribution {
	switch {
	case a == b, b == Withhold:
		return a
	case a == Withhold:
		return b
	}
	return May
}

// A value beyond a chain can only come from a mistake in a program; it reads as the strictest.
func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return names[0]
}

func known[T ~uint8](names []string, v T) T {
	if int(v) < len(names) {
		return v
	}
	return 0
}

func parseName[T ~uint8](names []string, s string) (T, bool) {
	i := slices.Index(names, s)
	return T(max(i, 0)), i >= 0
}

// ParseTLP reads a TLP label as people and feeds write it: any case, with or without "TLP:", WHITE for CLEAR, and AMBER-STRICT, AMBER_STRICT
// or AMBER STRICT for AMBER+STRICT.
func ParseTLP(s string) (TLP, error) {
	word := fold(s)
	word = strings.TrimPrefix(word, "TLP:")
	switch word {
	case "WHITE":
		word = "CLEAR"
	case "AMBER-STRICT", "AMBER_STRICT", "AMBER STRICT", "AMBERSTRICT":
		word = "AMBER+STRICT"
	}
	if t, ok := parseName[TLP](tlpNames, "TLP:"+word); ok {
		return t, nil
	}
	return Red, &Error{Kind: ErrUnintelligible, Code: "tlp.unknown", Rule: "TLP 2.0",
		Message: quote(s) + " is no TLP label: they are RED, AMBER+STRICT, AMBER, GREEN and CLEAR"}
}

// ParsePAP reads a PAP label: any case, with or without "PAP:", WHITE for CLEAR.
func ParsePAP(s string) (PAP, error) {
	word := strings.TrimPrefix(fold(s), "PAP:")
	if word == "WHITE" {
		word = "CLEAR"
	}
	if p, ok := parseName[PAP](papNames, "PAP:"+word); ok {
		return p, nil
	}
	return PAPAsk, &Error{Kind: ErrUnintelligible, Code: "pap.unknown", Message: quote(s) + " is no PAP label: they are RED, AMBER, GREEN and CLEAR"}
}

// fold is upper case without white space at the ends and after a colon.
func fold(s string) string {
	if len(s) > MaxMember {
		return s
	}
	return strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(s), ": ", ":"))
}

// quote shows a word of the input in a message, shortened.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return `"` + strings.ToValidUTF8(s[:most], "") + `…"`
	}
	return `"` + strings.ToValidUTF8(s, "") + `"`
}
