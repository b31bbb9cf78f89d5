package indicator

import (
	"encoding/binary"
	"math"
	"time"

	"entente/internal/fault"
)

// Meta is where an indicator comes from and when it counts.
type Meta struct {
	Source     string    // the id of the STIX object, or of the list: what a change replaces and what a hit is traced to
	Seq        int64     // the place of its version in the journal; 0: none
	Label      string    // the bytes of its label
	Accord     string    // under which it came; empty: none
	From       time.Time // valid_from; zero: always
	Until      time.Time // valid_until, exclusive; zero: for ever
	Since      time.Time // when somebody last stood by it: confidence decays from then on. Zero: it does not decay
	Confidence int       // 0 to 100 (STIX 2.1, section 3.2); negative: nobody stated one
	Revoked    bool
}

// unstated is the confidence that is reckoned with where nobody stated one.
const unstated = 50

const (
	metaSize    = 48
	flagRevoked = 1
	noneStated  = 255
	noTime      = math.MinInt64
)

func micros(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixMicro()
}

func timeOf(n int64) time.Time {
	if n == noTime {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// metaRow is a Meta as it stands in a snapshot.
type metaRow []byte

func (r metaRow) source() uint32 { return binary.LittleEndian.Uint32(r) }
func (r metaRow) label() uint32  { return binary.LittleEndian.Uint32(r[4:]) }
func (r metaRow) accord() uint32 { return binary.LittleEndian.Uint32(r[8:]) }
func (r metaRow) seq() int64     { return int64(binary.LittleEndian.Uint64(r[16:])) }
func (r metaRow) from() int64    { return int64(binary.LittleEndian.Uint64(r[24:])) }
func (r metaRow) until() int64   { return int64(binary.LittleEndian.Uint64(r[32:])) }
func (r metaRow) since() int64   { return int64(binary.LittleEndian.Uint64(r[40:])) }
func (r metaRow) revoked() bool  { return r[13]&flagRevoked != 0 }

func (r metaRow) confidence() int {
	if r[12] > 100 {
		return -1
	}
	return int(r[12])
}

func appendMeta(dst []byte, m *Meta, source, label, accord uint32) []byte {
	e := binary.LittleEndian
	dst = e.AppendUint32(dst, source)
	dst = e.AppendUint32(dst, label)
	dst = e.AppendUint32(dst, accord)
	confidence, flags := byte(noneStated), byte(0)
	if m.Confidence >= 0 {
		confidence = byte(min(m.Confidence, 100))
	}
	if m.Revoked {
		flags |= flagRevoked
	}
	dst = append(dst, confidence, flags, 0, 0)
	for _, n := range [...]int64{m.Seq, micros(m.From), micros(m.Until), micros(m.Since)} {
		dst = e.AppendUint64(dst, uint64(n))
	}
	return dst
}

// State says whether an indicator counts at a moment, and if not, why.
type State uint8

// The states.
const (
	Live State = iota
	Early
	Expired
	Revoked
	Faded // its confidence has decayed below the threshold
)

var stateNames = [...]string{"live", "early", "expired", "revoked", "faded"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Decay is how confidence falls with age: by half in every half-life of the kind, counted from the moment that somebody last stood by the
// indicator. Addresses change hands in weeks, names in months, a file's hash means the same for ever. An indicator whose confidence has fallen
// below the threshold does not hit.
type Decay struct {
	HalfLife  map[Kind]time.Duration // 0 or missing: the kind does not decay
	Threshold int                    // 0 to 100; 0: nothing fades
}

// DefaultDecay halves addresses in 30 days, networks, names, URLs and e-mail addresses in 90, and drops what is below 5.
func DefaultDecay() Decay {
	const day = 24 * time.Hour
	return Decay{Threshold: 5, HalfLife: map[Kind]time.Duration{
		IPv4: 30 * day, IPv6: 30 * day, CIDR: 90 * day, Domain: 90 * day, URL: 90 * day, Email: 90 * day,
	}}
}

// The bounds of a half-life.
const (
	minHalfLife = time.Hour
	maxHalfLife = 100 * 365 * 24 * time.Hour
)

// Validate refuses half-lives below an hour or above a hundred years, and thresholds that are no confidence.
func (d Decay) Validate() error {
	for k, h := range d.HalfLife {
		if k == 0 || int(k) >= kinds || h != 0 && (h < minHalfLife || h > maxHalfLife) {
			return fault.New(fault.Invalid, "indicator.half_life", "a half-life of %s for %s", h, k).Try("give between one hour and a hundred years, or 0 for none")
		}
	}
	if d.Threshold < 0 || d.Threshold > 100 {
		return fault.New(fault.Invalid, "indicator.threshold", "a threshold of %d is no confidence", d.Threshold).Try("give a number from 0 to 100")
	}
	return nil
}

// decay is a Decay by kind, in microseconds.
type decay struct {
	half      [kinds]float64
	threshold float64
}

func (d Decay) compile() (c decay) {
	for k, h := range d.HalfLife {
		c.half[k] = float64(h.Microseconds())
	}
	c.threshold = float64(d.Threshold)
	return c
}

// judge says whether an indicator counts at a moment, and with what confidence.
func (c *decay) judge(k Kind, r metaRow, now int64) (State, int) {
	stated := r.confidence()
	if stated < 0 {
		stated = unstated
	}
	confidence := float64(stated)
	since := r.since()
	if half := c.half[k]; half > 0 && since != noTime && now > since {
		confidence *= math.Exp2(-(float64(now) - float64(since)) / half)
	}
	state := Live
	switch until := r.until(); {
	case r.revoked():
		state = Revoked
	case now < r.from():
		state = Early
	case until != noTime && now >= until:
		state = Expired
	case confidence < c.threshold:
		state = Faded
	}
	return state, int(math.Round(confidence))
}
