package gate

import "strings"

var actionNames = [...]string{"read records", "write records", "manage collections", "manage accounts", "manage tokens", "see quarantine", "decide on quarantine",
	"purge", "make backups", "read the audit trail", "read the configuration",
	"see feeds", "run feeds", "read the register of constituents", "keep the register of constituents", "see alerts", "handle alerts", "send notifications", "loosen labels",
	"see accords", "draft accords", "sign accords", "suspend accords", "share records under accords", "sign releases", "let nations in", "rule the keys", "vote",
	"settle what was proved", "see sensors and what they met", "enrol and revoke sensors", "take what to look for", "fetch what is blocked"}

// String says what the action is, for a refusal.
func (a Action) String() string {
	var names []string
	for i, name := range actionNames {
		if a&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
