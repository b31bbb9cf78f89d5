package index

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"entente/internal/fault"
	"entente/internal/gate"
)

// Suggest lists words that begin as the text does and occur in what the asker may see, with the number of objects, most frequent first.
func (x *Index) Suggest(ctx context.Context, scope gate.Scope, text string, limit int) (words []Count, err error) {
	text = fold(strings.TrimSpace(text))
	if len(text) > maxRun || utf8.RuneCountInString(text) < minPrefix {
		return nil, nil
	}
	limit = max(1, min(limit, maxFacet))
	err = x.read(ctx, scope, "suggest", func(s *session) error {
		words, err = s.suggest(text, limit)
		return err
	})
	return words, err
}

// suggest walks over the terms of all segments at once, so that each is counted once and only the best are kept. A term whose postings
// are too few to be among them is not counted at all.
func (s *session) suggest(text string, limit int) (best []Count, err error) {
	var walks terms
	for _, kind := range []byte{termName, termWord} {
		from := append([]byte{kind}, text...)
		for _, g := range s.segs {
			k := &cursor{c: s.c, s: g}
			ok, err := k.seek(from)
			if err != nil {
				return nil, err
			}
			if ok && bytes.HasPrefix(k.term, from) {
				walks = append(walks, k)
			}
		}
	}
	walks.order()
	var word []byte
	for steps := 0; len(walks) > 0; steps++ {
		if steps&1023 == 1023 && s.ctx.Err() != nil {
			return nil, fault.As(s.ctx.Err())
		}
		word = append(word[:0], walks[0].term[1:]...)
		least := 0
		if len(best) == limit {
			least = best[limit-1].Count
		}
		n, more := 0, false
		for len(walks) > 0 && bytes.Equal(walks[0].term[1:], word) {
			k := walks[0]
			if more = more || walks.again(word); more || most(k.data) > least {
				n += s.v.is.common(k.data, k.s.lo)
			}
			kind := k.term[0]
			ok, err := k.next()
			if err != nil {
				return nil, err
			}
			if ok && k.term[0] == kind && bytes.HasPrefix(k.term[1:], []byte(text)) {
				walks.sink(0)
			} else {
				walks.drop()
			}
		}
		if n > least {
			at, _ := slices.BinarySearchFunc(best, n, func(c Count, n int) int { return cmp.Or(cmp.Compare(n, c.Count), -1) })
			best = slices.Insert(best, at, Count{string(word), n})
			best = best[:min(len(best), limit)]
		}
	}
	return best, nil
}

// again tells whether a further cursor is on the word: then one of the two behind the first is.
func (t terms) again(word []byte) bool {
	return len(t) > 1 && bytes.Equal(t[1].term[1:], word) || len(t) > 2 && bytes.Equal(t[2].term[1:], word)
}

// most is how many postings there can be at most.
func most(data []byte) int {
	switch {
	case len(data) == 0:
		return 0
	case data[0] == formBits:
		return 8 * (len(data) - 1)
	}
	return len(data) - 1
}

// terms are cursors as a heap: the one on the least word is the first.
type terms []*cursor

func (t terms) order() {
	for i := len(t)/2 - 1; i >= 0; i-- {
		t.sink(i)
	}
}

func (t terms) less(i, j int) bool { return bytes.Compare(t[i].term[1:], t[j].term[1:]) < 0 }

func (t terms) sink(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(t); c++ {
			if t.less(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		t[i], t[least] = t[least], t[i]
		i = least
	}
}

func (t *terms) drop() {
	n := len(*t) - 1
	(*t)[0] = (*t)[n]
	*t = (*t)[:n]
	t.sink(0)
}
