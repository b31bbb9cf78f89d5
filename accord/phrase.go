package accord

import (
	"fmt"
	"slices"
)

// Phrasebook is what can be said, by its English form, in the order of Languages after English. Numbered values (%[1]s) stand for the same in each.
type Phrasebook map[string][3]string

// Phrase is one thing that is said: its English form, and the values in their places. A value that is a Phrase is said in the same language.
type Phrase struct {
	Form string
	Args []any
}

// Say says a phrase in one of Languages; in any other, and where the book does not have it, in English.
func (b Phrasebook) Say(lang string, p Phrase) string {
	form := p.Form
	if i := language(lang); i > 0 {
		if s := b[form][i-1]; s != "" {
			form = s
		}
	}
	if len(p.Args) == 0 {
		return form
	}
	args := slices.Clone(p.Args)
	for i := range args {
		if inner, ok := args[i].(Phrase); ok {
			args[i] = b.Say(lang, inner)
		}
	}
	return fmt.Sprintf(form, args...)
}

// language is the place of a language in Languages; of any other, that of English.
func language(lang string) int { return max(slices.Index(Languages, lang), 0) }
