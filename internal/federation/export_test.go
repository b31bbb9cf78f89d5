package federation

import (
	"context"

	"entente/internal/ledger"
)

// CatchUp brings the own logs to the journal's end, once.
func (f *Federation) CatchUp(ctx context.Context) error { return f.catchUp(ctx) }

// LastWait is the longest time between two attempts to reach a partner.
const LastWait = lastWait

// Live are the puts that are with their parties.
func Live(places []ledger.Place) []ledger.Place { return live(places) }
