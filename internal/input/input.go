// Package input brings lines of telemetry from where they come: files and directories with rotation, standard input, syslog, flows. Lines come at least once where the other side
// keeps them: a source begins where its last kept checkpoint stands, and a checkpoint is kept only when everything before it is done with.
package input

import "context"

// Batch is some lines of one source, in order, each of them one event.
//
// Block names the stretch of the source that the lines are of: the same whenever it is read again. A batch is of one block, and Last says that the block ends with it, which may be
// noticed only when no line of it is left to give. A block is read again whole or not at all.
type Batch struct {
	Source string // a file's path, or what the source calls itself
	Block  string
	First  bool // the block begins with it, as far as the source can say: what was given of the block before is given again
	Last   bool
	Lines  [][]byte
	Head   [][]byte // lines at the beginning of the file that begin with #, where Lines come later in it: in Zeek's logs they say what the columns are

	// Done, where it is not nil, makes durable that everything of the batch is done with, and of those before it of the same source: they are not given again. It is
	// there only for batches that are the last of their blocks. It may be called from another goroutine, and after Take returned; who does not call it is given the
	// block again when the source runs anew.
	Done func() error
}

// Source gives what comes until the context ends or, where it has an end, until it is there. Take is done with the lines when it returns nil: they are not its own
// afterwards. Its error ends the source, which gives the same lines again when it runs anew.
type Source interface {
	Run(ctx context.Context, take func(*Batch) error) error
}

// Counts are what a source did and could not do. None of it is silent.
type Counts struct {
	Lines   uint64 `json:"lines"`
	Bytes   uint64 `json:"bytes"`
	Long    uint64 `json:"long"`    // lines and messages that are longer than they may be: left out, or cut off
	Lost    uint64 `json:"lost"`    // places in files that were cut off before they were read; messages that found no room
	Missing uint64 `json:"missing"` // messages that the other side's numbers say were sent, and did not come
	Unread  uint64 `json:"unread"`  // messages and parts of files that are not in the form they should have
	Errors  uint64 `json:"errors"`  // attempts to read that failed
	Partial uint64 `json:"partial"` // last lines of files that ended without an end of line
}

// Bounds.
const (
	MaxLine  = 1 << 20 // bytes of a line
	maxBatch = 1000    // lines of a batch
	maxBytes = 1 << 20 // bytes of a batch, beyond which no line is added
)
