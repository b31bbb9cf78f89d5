package surface

import (
	"net/http"

	"entente/label"
)

// ExerciseHeader names, on every answer of a node of an exercise, the exercise that it is of. A node of operations sends none.
const ExerciseHeader = "X-Entente-Exercise"

// Marked puts the name of the exercise on every answer of a node of one.
func Marked(realm string, next http.Handler) http.Handler {
	name, ok := label.Mode(realm).Exercise()
	if !ok {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ExerciseHeader, name)
		next.ServeHTTP(w, r)
	})
}
