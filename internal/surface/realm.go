package surface

import (
	"net/http"

	"entente/internal/exchange"
	"entente/label"
)

// Marked puts the name of the exercise on every answer of a node of one.
func Marked(realm string, next http.Handler) http.Handler {
	name, ok := label.Mode(realm).Exercise()
	if !ok {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(exchange.ExerciseHeader, name)
		next.ServeHTTP(w, r)
	})
}
