package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"entente/internal/testnode"
	"entente/label"
)

const (
	lagSeconds       = 2   // of search behind an import of lagObjects
	keystrokeMillis  = 100 // p99
	neighbourSeconds = 1   // for an object with neighbours of its own
	lagObjects       = 25_000
	neighbours       = 10_000

	keystrokes = 1000 // requests
	opened     = 20
)

// typed is what people type, in words that samples have often and seldom, and in what they have never.
var typed = []string{"lateral movement", "ransom note", "beacon", "firmware update channel", "10.12.3", "CVE-2024-1234", "EX-4711", "keylogger stealer", "passive dns", "unheard of", "type:malware loader", "example"}

// caughtUp waits until everything that is stored can be found.
func (s *stock) caughtUp(ctx context.Context, name string) error {
	c := s.node.Client(testnode.Analyst)
	defer c.Close()
	began := time.Now()
	if _, err := native(ctx, c, "/search?limit=1&headers=true&fresh=true"); err != nil {
		return err
	}
	s.note(name, time.Since(began).Seconds(), "s")
	return nil
}

// native asks the native interface.
func native(ctx context.Context, c *testnode.Client, path string) ([]byte, error) {
	a, err := c.Do(ctx, http.MethodGet, "/api/v1"+path, nil, nil)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s: the node answered %d: %s", path, a.Status, a.Body)
	}
	return a.Body, err
}

// find measures how far search is behind an import, how long a keystroke takes, and how soon a much connected object is open.
func (s *stock) find(ctx context.Context) error {
	at := fmt.Sprintf("@%d", s.stored)
	took, err := s.store(ctx, s.hub())
	if err != nil {
		return err
	}
	s.atLeast("find.import"+at, rate(lagObjects, took), "objects/s", ingestTarget)
	c := s.node.Client(testnode.Analyst)
	defer c.Close()
	began := time.Now()
	if _, err := native(ctx, c, "/search?limit=1&headers=true&fresh=true"); err != nil {
		return err
	}
	s.atMost("find.lag"+at, time.Since(began).Seconds(), "s", lagSeconds)
	if err := s.typing(ctx, c, at); err != nil {
		return err
	}
	return s.opening(ctx, c, at)
}

// hub is lagObjects objects, many of which are connected with one.
func (s *stock) hub() (out [][]byte) {
	for range neighbours {
		i := s.src.Indicator(label.Green)
		out = append(out, i.Raw, s.src.Indicates(i).Raw)
	}
	for len(out) < lagObjects {
		out = append(out, s.src.Mixed().Raw)
	}
	s.stored += len(out)
	return out
}

// typing asks for every beginning of what is typed, as a search field does.
func (s *stock) typing(ctx context.Context, c *testnode.Client, at string) error {
	for _, kind := range []struct{ name, path string }{
		{"find.keystroke", "/search?typing=true&facets=true&limit=20&q="}, {"find.suggest", "/search/words?limit=10&q="},
	} {
		var took times
		for len(took) < keystrokes {
			for _, text := range typed {
				for n := 2; n <= len(text); n++ {
					began := time.Now()
					if _, err := native(ctx, c, kind.path+url.QueryEscape(text[:n])); err != nil {
						return err
					}
					took = append(took, time.Since(began))
				}
			}
		}
		s.note(kind.name+".p50"+at, took.at(0.5), "ms")
		s.atMost(kind.name+".p99"+at, took.at(0.99), "ms", keystrokeMillis)
	}
	return nil
}

// opening reads the object that much is connected with: itself and the first page of its neighbours, and then all of them.
func (s *stock) opening(ctx context.Context, c *testnode.Client, at string) error {
	id := s.src.Head()[1].ID
	var took times
	for range opened {
		began := time.Now()
		for _, path := range []string{"", "/versions", "/provenance", "/neighbours?limit=100"} {
			if _, err := native(ctx, c, "/objects/"+id+path); err != nil {
				return err
			}
		}
		took = append(took, time.Since(began))
	}
	s.atMost("find.open.p99"+at, took.at(0.99)/1000, "s", neighbourSeconds)
	began, n := time.Now(), 0
	for next := ""; ; {
		page, err := native(ctx, c, "/objects/"+id+"/neighbours?limit=1000&relationship=indicates"+next)
		if err != nil {
			return err
		}
		n += bytes.Count(page, []byte(`"by":`))
		_, token, more := bytes.Cut(page, []byte(`"next":"`))
		if !more {
			break
		}
		token, _, _ = bytes.Cut(token, []byte{'"'})
		next = "&next=" + string(token)
	}
	if n < neighbours {
		return fmt.Errorf("%s has %d neighbours and should have %d", id, n, neighbours)
	}
	s.atMost(fmt.Sprintf("find.neighbours.%d%s", n, at), time.Since(began).Seconds(), "s", neighbourSeconds)
	return nil
}
