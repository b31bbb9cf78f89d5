package misp

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"entente/outside"
)

// Limits of what a feed's listings may hold.
const (
	MaxManifest       = 256 << 20 // bytes
	MaxManifestEvents = 1_000_000
	MaxHashes         = 1 << 30 // bytes
)

// ManifestEntry is what the manifest of a feed says of one event.
type ManifestEntry struct {
	Info        string    `json:"info"`
	Orgc        *Org      `json:"Orgc,omitzero"`
	Tags        List[Tag] `json:"Tag"`
	Analysis    string    `json:"analysis"`
	Date        string    `json:"date"`
	ThreatLevel string    `json:"threat_level_id"`
	Timestamp   string    `json:"timestamp"`
	SHA256      string    `json:"integrity:sha256,omitzero"` // of the event's file, in hexadecimal
	PGP         string    `json:"integrity:pgp,omitzero"`
}

// ParseManifest reads the manifest.json of a feed: its events by their uuid, in lower case. The error is an *Error.
func ParseManifest(raw []byte) (map[string]ManifestEntry, error) {
	if len(raw) > MaxManifest {
		return nil, &Error{Code: CodeSize, Offset: -1, Rule: manifestRule, Message: "the manifest is larger than 256 MiB"}
	}
	if bytes.Equal(bytes.TrimSpace(raw), []byte("[]")) { // PHP's empty object
		return map[string]ManifestEntry{}, nil
	}
	var m map[string]ManifestEntry
	if err := json.Unmarshal(raw, &m, lenient); err != nil {
		return nil, feedError("this is no manifest: "+err.Error(), err)
	}
	if len(m) > MaxManifestEvents {
		return nil, &Error{Code: CodeSize, Offset: -1, Rule: manifestRule, Message: "the manifest names more than 1,000,000 events"}
	}
	out := make(map[string]ManifestEntry, len(m))
	for id, entry := range m {
		u, err := uuid.Parse(id)
		if err != nil || len(id) != 36 {
			return nil, &Error{Code: CodeFeed, Pointer: "/" + clip(id), Offset: -1, Rule: manifestRule, Message: "an event is named by its uuid; anything else could lead out of the feed", Err: err}
		}
		if _, twice := out[u.String()]; twice {
			return nil, feedError("the manifest names the event "+u.String()+" twice", nil)
		}
		out[u.String()] = entry
	}
	return out, nil
}

const manifestRule = "MISP core format, manifest"

func feedError(message string, err error) error {
	return &Error{Code: CodeFeed, Offset: -1, Rule: manifestRule, Message: message, Err: err}
}

// Entry is what a manifest says of the event whose file has the given bytes. Local tags stay out.
func (e *Event) Entry(file []byte) ManifestEntry {
	sum := sha256.Sum256(file)
	entry := ManifestEntry{Info: e.Info, Analysis: e.Analysis, Date: e.Date, ThreatLevel: e.ThreatLevel, Timestamp: e.Timestamp, SHA256: hex.EncodeToString(sum[:]), Tags: List[Tag]{}}
	if e.Orgc != nil {
		entry.Orgc = &Org{Name: e.Orgc.Name, UUID: e.Orgc.UUID}
	}
	for _, t := range e.Tags {
		if !t.Local.True() {
			entry.Tags = append(entry.Tags, Tag{Name: t.Name, Colour: t.Colour, Local: False})
		}
	}
	return entry
}

// MarshalManifest writes a manifest, its events in the order of their uuids.
func MarshalManifest(m map[string]ManifestEntry) ([]byte, error) { return json.Marshal(m, writing) }

// Verify tells whether the file of an event is the one that the manifest names, as far as the manifest says.
func (m ManifestEntry) Verify(file []byte) error {
	if m.SHA256 == "" {
		return nil
	}
	sum := sha256.Sum256(file)
	if !strings.EqualFold(m.SHA256, hex.EncodeToString(sum[:])) {
		return feedError("the event's file has another SHA-256 than the manifest says", nil)
	}
	return nil
}

// HashLine is one line of a hashes.csv: the MD5 of a value, and the event that has it.
type HashLine struct {
	MD5  [16]byte
	UUID string
}

// ParseHashes reads the hashes.csv of a feed and calls f for each line. The error is an *Error, or that of f.
func ParseHashes(raw []byte, f func(HashLine) error) error {
	if len(raw) > MaxHashes {
		return &Error{Code: CodeSize, Offset: -1, Rule: hashesRule, Message: "the list is larger than 1 GiB"}
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 4096)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		hash, id, ok := strings.Cut(line, ",")
		var l HashLine
		if digits, err := hex.DecodeString(hash); err != nil || len(digits) != len(l.MD5) || !ok {
			return &Error{Code: CodeFeed, Offset: -1, Rule: hashesRule, Message: fmt.Sprintf("line %d is not an MD5, a comma and a uuid", n)}
		} else {
			copy(l.MD5[:], digits)
		}
		u, err := uuid.Parse(strings.Trim(id, `"`))
		if err != nil {
			return &Error{Code: CodeFeed, Offset: -1, Rule: hashesRule, Message: fmt.Sprintf("line %d names no event", n), Err: err}
		}
		l.UUID = u.String()
		if err := f(l); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return &Error{Code: CodeFeed, Offset: -1, Rule: hashesRule, Message: fmt.Sprintf("line %d is too long", n+1), Err: err}
		}
		return err
	}
	return nil
}

const hashesRule = "MISP core format, hashes"

// AppendHashes appends the lines of an event to a hashes.csv: each value once, the two of a composite type one by one, no deleted ones.
func AppendHashes(b []byte, e *Event) []byte {
	seen := map[[16]byte]bool{}
	add := func(a *Attribute) {
		if a.Deleted.True() {
			return
		}
		t, _ := TypeByName(a.Type)
		for _, v := range t.values(a.Value) {
			sum := outside.MD5([]byte(v))
			if !seen[sum] {
				seen[sum] = true
				b = hex.AppendEncode(b, sum[:])
				b = append(append(append(b, ','), e.UUID...), '\n')
			}
		}
	}
	for i := range e.Attributes {
		add(&e.Attributes[i])
	}
	for i := range e.Objects {
		for j := range e.Objects[i].Attributes {
			add(&e.Objects[i].Attributes[j])
		}
	}
	return b
}

// HashOf is the hash by which a hashes.csv knows a value.
func HashOf(value string) [16]byte { return outside.MD5([]byte(value)) }
