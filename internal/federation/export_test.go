package federation

import "context"

// CatchUp brings the own logs to the journal's end, once.
func (f *Federation) CatchUp(ctx context.Context) error { return f.catchUp(ctx) }

// LastWait is the longest time between two attempts to reach a partner.
const LastWait = lastWait
