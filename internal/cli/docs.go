package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"entente/internal/surface/api"
)

// docsCmd writes the references of the command line and of the native API from the code itself. It is for who builds the project.
func (a *app) docsCmd() *cobra.Command {
	c := &cobra.Command{Use: "docs", Short: "Write reference pages", Hidden: true}
	var dir string
	cli := &cobra.Command{
		Use: "cli", Short: "Write the reference of the command line", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			root := a.root()
			pages := []*cobra.Command{root}
			for _, c := range root.Commands() {
				if documented(c) {
					pages = append(pages, c)
				}
			}
			for _, c := range pages {
				name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".md"
				if err := os.WriteFile(filepath.Join(dir, name), []byte(page(c)), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cli.Flags().StringVar(&dir, "dir", "docs/cli", "directory to write to")
	c.AddCommand(cli, &cobra.Command{
		Use: "api", Short: "Print the OpenAPI document of the native API", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(api.Document())
			return err
		},
	})
	return c
}

func documented(c *cobra.Command) bool {
	return !c.Hidden && c.Name() != "help" && !c.IsAdditionalHelpTopicCommand()
}

// page is the reference page of a command and everything below it.
func page(c *cobra.Command) string {
	var b strings.Builder
	if c.HasParent() {
		section(&b, c, 1)
		return b.String()
	}
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n%s\n\n", c.Name(), c.Short, codeBlocks(c.Long))
	b.WriteString("| Command | |\n|---|---|\n")
	for _, sub := range c.Commands() {
		if documented(sub) {
			fmt.Fprintf(&b, "| [%s](entente-%s.md) | %s |\n", sub.Name(), sub.Name(), sub.Short)
		}
	}
	return b.String()
}

func section(b *strings.Builder, c *cobra.Command, level int) {
	fmt.Fprintf(b, "%s %s\n\n%s.\n\n", strings.Repeat("#", min(level, 4)), c.CommandPath(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(b, "%s\n\n", codeBlocks(c.Long))
	}
	if c.Runnable() && !c.HasSubCommands() {
		fmt.Fprintf(b, "```\n%s\n```\n\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(b, "```\n%s\n```\n\n", c.Example)
	}
	if c.LocalFlags().HasAvailableFlags() && !c.HasSubCommands() {
		b.WriteString("| Option | |\n|---|---|\n")
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			typ, text := pflag.UnquoteUsage(f)
			name := "`--" + f.Name
			if typ != "" {
				name += " " + typ
			}
			name += "`"
			if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "[]" && d != "0s" {
				text += " (default " + d + ")"
			}
			fmt.Fprintf(b, "| %s | %s |\n", name, strings.ReplaceAll(text, "|", `\|`))
		})
		b.WriteString("\n")
	}
	for _, sub := range c.Commands() {
		if documented(sub) {
			section(b, sub, level+1)
		}
	}
}

// codeBlocks fences the indented parts of a help text.
func codeBlocks(s string) string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(s) {
		if indented := strings.HasPrefix(line, "  "); indented != in && strings.TrimSpace(line) != "" {
			b.WriteString("```\n")
			in = indented
		}
		b.WriteString(line)
	}
	if in {
		b.WriteString("\n```")
	}
	return strings.TrimSpace(b.String())
}
