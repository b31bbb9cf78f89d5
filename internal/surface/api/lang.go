package api

import (
	"slices"

	"golang.org/x/text/language"

	"entente/accord"
	"entente/internal/federation"
)

// langParam is the language in which people are told why.
var langParam = Param{Name: "lang", Doc: "The language of the sentences: en, de, es or fr. Without it, what Accept-Language prefers."}

var spoken = func() language.Matcher {
	tags := make([]language.Tag, len(accord.Languages))
	for i, l := range accord.Languages {
		tags[i] = language.Make(l)
	}
	return language.NewMatcher(tags)
}()

// lang is one of accord.Languages: the one that is asked for, else what the caller prefers, else English.
func (c *call) lang() string {
	if l := c.q.get("lang"); slices.Contains(accord.Languages, l) {
		return l
	}
	c.w.Header().Add("Vary", "Accept-Language")
	_, i := language.MatchStrings(spoken, c.r.Header.Get("Accept-Language"))
	return accord.Languages[i]
}

func judgedIn(lang string, all []federation.Judged) []federation.Judged {
	for i := range all {
		all[i] = all[i].In(lang)
	}
	return all
}
