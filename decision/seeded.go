package decision

// fault is a rule that is left out, so that tests see that they would notice. Nothing but tests sets one.
type fault struct {
	unbound bool // positions count for any proposal, round and accord
	inbox   bool // whoever is not heard of was silent
	early   bool // a log is not waited for until its own deadline
}
