package cli

import (
	"github.com/spf13/cobra"

	"entente/accord"
	"entente/internal/gate"
)

// choices are the words that a flag takes, wherever it stands.
func choices() map[string][]string {
	var roles []string
	for _, r := range gate.Roles() {
		roles = append(roles, r.Name+"\t"+r.Meaning)
	}
	return map[string][]string{
		"role": roles, "read": roles, "write": roles,
		"tls": {"auto", "files", "off"}, "policy": {"reject", "quarantine", "flag"}, "format": {"bundle", "ndjson"},
		"tlp": {"red", "amber+strict", "amber", "green", "clear"}, "spec": {"2.0", "2.1"}, "version": {"all", "first", "last"},
		"default-label": {"tlp:red", "tlp:amber+strict", "tlp:amber", "tlp:green", "tlp:clear"},
		"kind":          accord.TemplateKinds, "lang": accord.Languages,
		"log-format": {"json", "text"}, "log-level": {"debug", "info", "warn", "error"},
	}
}

// complete lets a shell complete the words of flags.
func complete(c *cobra.Command) *cobra.Command {
	known := choices()
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		for flag, words := range known {
			if c.Flags().Lookup(flag) != nil {
				c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(c)
	return c
}
