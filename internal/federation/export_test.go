package federation

import "context"

// CatchUp brings the own logs to the journal's end, once.
func (f *Federation) CatchUp(ctx context.Context) error { return f.catchUp(ctx) }
