package blob

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"entente/internal/record"
	"entente/label"
)

// Blob is what is known of one stored file.
type Blob struct {
	ID      string        `json:"id"`
	SHA256  string        `json:"sha256"` // hex
	Size    int64         `json:"size"`   // bytes
	Name    string        `json:"name"`   // as its sender called it, made safe for any file system
	Claimed string        `json:"media_type,omitempty"`
	Sniffed string        `json:"sniffed"` // media type that its first bytes look like
	Sample  bool          `json:"sample"`  // malware, or a program: it leaves only inside a ZIP with the password "infected"
	Label   label.Label   `json:"label"`
	Origin  record.Origin `json:"origin"`
	Added   time.Time     `json:"added"`
}

// Mark is the part of the blob that the gate judges.
func (b *Blob) Mark() record.Mark {
	return record.Mark{Label: b.Label, Nation: b.Origin.Nation, Org: b.Origin.Org}
}

// entry is what a document holds. Nothing of it stands in the store in the clear.
type entry struct {
	Blob
	File  string `json:"file"`
	Key   []byte `json:"key"`
	CRC32 uint32 `json:"crc32"`

	version int64 // of the document
}

// The kinds of documents: blobs, and who was given which.
const (
	docBlob    = "blob"
	docRelease = "blob.release"
)

const idPrefix = "blob--"

var (
	idForm   = regexp.MustCompile(`^blob--[0-9a-f]{32}$`)
	fileForm = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// vault seals documents and names blobs.
type vault struct {
	aead cipher.AEAD
	name []byte
}

func newVault(secret []byte) (vault, error) {
	derive := func(purpose string) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte("entente/blob/1\x00" + purpose))
		return h.Sum(nil)
	}
	block, err := aes.NewCipher(derive("documents"))
	if err != nil {
		return vault{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return vault{aead: aead, name: derive("names")}, err
}

func (v *vault) seal(e *entry) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return v.aead.Seal(nil, nil, b, []byte(docBlob+"\x00"+e.ID)), nil
}

func (v *vault) open(id string, sealed []byte, version int64) (*entry, error) {
	b, err := v.aead.Open(nil, nil, sealed, []byte(docBlob+"\x00"+id))
	if err != nil {
		return nil, err
	}
	e := &entry{version: version}
	if err := json.Unmarshal(b, e); err != nil {
		return nil, err
	}
	if e.ID != id || !fileForm.MatchString(e.File) || len(e.Key) != keySize {
		return nil, errDamaged
	}
	return e, nil
}

// id names a blob by its content, its originator, its label and whether it is a sample: the same file sent twice by one organisation
// is one blob, and what another sends or has under another label never is. Without the secret the name confirms nothing.
func (v *vault) id(b *Blob) (string, error) {
	l, err := json.Marshal(b.Label)
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, v.name)
	sample := "0"
	if b.Sample {
		sample = "1"
	}
	for _, part := range []string{b.Origin.Nation, b.Origin.Org, string(l), sample, b.SHA256} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return idPrefix + hex.EncodeToString(h.Sum(nil)[:16]), nil
}

const (
	maxName  = 128 // bytes
	maxMedia = 127
)

// SafeName makes a name that means one file in whatever folder it is put, on any system: no path, no control or format characters, no
// leading dot, no name that a system keeps for itself.
func SafeName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, strings.ContainsRune(`<>:"|?*;%`, r):
			return '_'
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, name)
	for len(name) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	name = strings.TrimRight(strings.TrimLeft(name, ". "), ". ")
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch {
	case name == "":
		return "file"
	case reserved.MatchString(strings.TrimRight(stem, " ")):
		return "_" + name
	}
	return name
}

var reserved = regexp.MustCompile(`^(CON|PRN|AUX|NUL|(COM|LPT)[0-9¹²³])$`)

// isProgram tells whether the first bytes are those of something that a machine runs: such a file is a sample, whatever its sender says.
func isProgram(first []byte) bool {
	for _, magic := range []string{"MZ", "\x7fELF", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "dex\n", "#!", "L\x00\x00\x00\x01\x14\x02\x00"} {
		if strings.HasPrefix(string(first), magic) {
			return true
		}
	}
	return false
}
