package detect

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/google/uuid"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/indicator"
	"entente/internal/lite"
	"entente/sensor"
)

// What stands in the file of what is looked for is packed: there may be many millions of it.

const indicatorPrefix = "indicator--"

// packSource is the id of an object in few bytes: of an indicator the sixteen of its UUID, of any other a zero and the text.
func packSource(id string) []byte {
	if text, ok := strings.CutPrefix(id, indicatorPrefix); ok && len(text) == 36 {
		if u, err := uuid.Parse(text); err == nil && u.String() == text {
			return append([]byte{1}, u[:]...)
		}
	}
	return append([]byte{0}, id...)
}

// unpackSource is the id that packSource packed.
func unpackSource(b []byte) string {
	if len(b) == 17 && b[0] == 1 {
		return indicatorPrefix + uuid.UUID(b[1:]).String()
	}
	if len(b) == 0 {
		return ""
	}
	return string(b[1:])
}

// sourceAt is a source in a column.
func sourceAt(st *zs.Stmt, col int) string { return unpackSource(lite.Blob(st, col)) }

// words are the labels and accords of what is looked for, each once. They know what one connection has seen.
type words struct {
	ids   map[string]int64
	texts map[int64]string
	uses  map[int64]int64 // by how much each is used more since flush
}

// mostWords is how many are kept in memory.
const mostWords = 20_000

func newWords() *words {
	return &words{map[string]int64{}, map[int64]string{}, map[int64]int64{}}
}

// id is the number of a text, which is given where it has none. No text has none.
func (w *words) id(c *zs.Conn, text string) (id int64, err error) {
	if id, ok := w.ids[text]; ok || text == "" {
		return id, nil
	}
	if err := lite.Exec(c, "INSERT OR IGNORE INTO word(text, uses) VALUES(?, 0)", nil, text); err != nil {
		return 0, err
	}
	if id, err = lite.Number(c, "SELECT id FROM word WHERE text = ?", text); err == nil {
		w.know(id, text)
	}
	return id, err
}

// text is the one of a number.
func (w *words) text(c *zs.Conn, id int64) (text string, err error) {
	if text, ok := w.texts[id]; ok || id == 0 {
		return text, nil
	}
	if err = lite.Exec(c, "SELECT text FROM word WHERE id = ?", func(st *zs.Stmt) error { text = st.ColumnText(0); return nil }, id); err == nil {
		w.know(id, text)
	}
	return text, err
}

func (w *words) know(id int64, text string) {
	if len(w.ids) >= mostWords {
		clear(w.ids)
		clear(w.texts)
	}
	w.ids[text], w.texts[id] = id, text
}

// flush writes down how often words are used, and destroys those that are not any more: a label may say something of what was purged.
func (w *words) flush(c *zs.Conn) error {
	for id, n := range w.uses {
		if id == 0 || n == 0 {
			continue
		}
		if err := lite.Exec(c, "UPDATE word SET uses = uses + ? WHERE id = ?", nil, n, id); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if err := lite.Exec(c, "DELETE FROM word WHERE id = ? AND uses <= 0", nil, id); err != nil {
			return err
		}
		if c.Changes() > 0 {
			delete(w.ids, w.texts[id])
			delete(w.texts, id)
		}
	}
	clear(w.uses)
	return nil
}

// forget begins anew: what was known may have been taken back.
func (w *words) forget() {
	clear(w.ids)
	clear(w.texts)
	clear(w.uses)
}

var errPacked = errors.New("what is looked for cannot be read")

// pack writes a change without its place and its source. Values of kinds that are not known are left out.
func (w *words) pack(c *zs.Conn, ch *sensor.Change) ([]byte, error) {
	label, err := w.id(c, ch.Label)
	if err != nil {
		return nil, err
	}
	accord, err := w.id(c, ch.Accord)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 96)
	for _, n := range [...]int64{label, accord, ch.Version, lite.PackTime(ch.From), lite.PackTime(ch.Until), lite.PackTime(ch.Since), int64(ch.Confidence)} {
		b = binary.AppendVarint(b, n)
	}
	for _, v := range ch.Values {
		if kind, ok := indicator.KindNamed(v.Kind); ok {
			b = append(binary.AppendUvarint(append(b, byte(kind)), uint64(len(v.Text))), v.Text...)
		}
	}
	return b, nil
}

// numbers reads the head of what pack wrote, and gives the rest.
func numbers(b []byte) (n [7]int64, rest []byte, err error) {
	for i := range n {
		v, size := binary.Varint(b)
		if size <= 0 {
			return n, nil, errPacked
		}
		n[i], b = v, b[size:]
	}
	return n, b, nil
}

// count counts the words of what pack wrote as used once more, or once less.
func (w *words) count(packed []byte, more int64) error {
	if packed == nil {
		return nil
	}
	n, _, err := numbers(packed)
	if err == nil {
		w.uses[n[0]] += more
		w.uses[n[1]] += more
	}
	return err
}

// unpack reads what pack wrote. Empty: the source is gone.
func (w *words) unpack(c *zs.Conn, source string, b []byte) (sensor.Change, error) {
	ch := sensor.Change{Source: source, Confidence: -1}
	if len(b) == 0 {
		return ch, nil
	}
	n, b, err := numbers(b)
	if err != nil {
		return ch, err
	}
	if ch.Label, err = w.text(c, n[0]); err != nil {
		return ch, err
	}
	if ch.Accord, err = w.text(c, n[1]); err != nil {
		return ch, err
	}
	ch.Version, ch.From, ch.Until, ch.Since, ch.Confidence = n[2], lite.UnpackTime(n[3]), lite.UnpackTime(n[4]), lite.UnpackTime(n[5]), int(n[6])
	for len(b) > 0 {
		kind := indicator.Kind(b[0])
		size, used := binary.Uvarint(b[1:])
		if used <= 0 || size > uint64(len(b)-1-used) {
			return ch, errPacked
		}
		b = b[1+used:]
		ch.Values = append(ch.Values, sensor.Value{Kind: kind.String(), Text: string(b[:size])})
		b = b[size:]
	}
	return ch, nil
}
