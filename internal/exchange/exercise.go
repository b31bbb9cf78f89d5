package exchange

import (
	"bytes"
	"cmp"
	"strconv"

	"entente/internal/fault"
	"entente/label"
	"entente/stix"
)

// ExerciseMark is the property that names, in every object and bundle that a node of an exercise writes into a file, the exercise that it comes from.
const ExerciseMark = "x_entente_exercise"

// FromRealm refuses what says by the name of an exercise, or by none, that it comes from another realm than the one given.
func FromRealm(realm, exercise string) error {
	own, _ := label.Mode(realm).Exercise()
	if exercise == "" || exercise == own {
		return nil
	}
	return fault.New(fault.Unprocessable, "exercise.object", "it comes from an exercise, %q, and this node is of the realm %q", exercise[:min(len(exercise), 64)], realm).
		By("nothing of one realm is taken in another").Try("hand it in at a node of the exercise; see docs/exercises.md")
}

// exerciseEnd is what an object that was marked ends with.
func exerciseEnd(exercise string) []byte {
	return []byte(`,"` + ExerciseMark + `":` + strconv.Quote(exercise) + `}`)
}

// ExerciseHeader names, on every answer of a node of an exercise, the exercise that it is of. A node of operations sends none.
const ExerciseHeader = "X-Entente-Exercise"

// Marked is an object as a node of the realm writes it into a file: one of an exercise ends with the exercise's name. The object itself, as it is kept, signed
// and shared, stays as it is, and Accept takes the mark off again in the same exercise. In operations it is the object.
func Marked(object []byte, realm string) []byte {
	exercise, ok := label.Mode(realm).Exercise()
	if !ok {
		return object
	}
	o, err := stix.Parse(object)
	body, closed := bytes.CutSuffix(bytes.TrimRight(object, " \t\r\n"), []byte("}"))
	if err != nil || !closed {
		return object // nothing that the door has taken
	}
	if _, there := o.Property("/" + ExerciseMark); there {
		return object
	}
	return append(bytes.Clone(bytes.TrimRight(body, " \t\r\n")), exerciseEnd(exercise)...)
}

// unmarked refuses an object that an exercise has marked, but in that exercise, where it gives the object as it was before.
func (x *Exchange) unmarked(o *stix.Object, raw []byte) ([]byte, error) {
	if !bytes.Contains(raw, []byte(ExerciseMark)) && !bytes.Contains(raw, []byte(`\u`)) {
		return raw, nil
	}
	if _, there := o.Property("/" + ExerciseMark); !there {
		return raw, nil
	}
	// A mark that names nothing is of no exercise that there can be.
	said := cmp.Or(o.Text("/"+ExerciseMark), "?")
	if err := FromRealm(x.cfg.Realm, said); err != nil {
		return nil, fault.As(err).At("/" + ExerciseMark)
	}
	body, whole := bytes.CutSuffix(raw, exerciseEnd(said))
	if !whole {
		return raw, nil
	}
	return append(bytes.Clone(body), '}'), nil
}
