package docs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"entente/internal/cli"
)

var (
	invocation = regexp.MustCompile(`(?:^|[\s(` + "`" + `])(?:bin/)?entente ([a-z][^` + "`" + `|)#]*)`)
	word       = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	flag       = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// Every command that a page shows exists, with every option that it shows.
func TestCommandsExist(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range append(pages, "../README.md", "../SECURITY.md", "../packaging/README.md", "../packaging/entente.service") {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(raw), "\\\n", " ")
		text = strings.ReplaceAll(text, "-u entente ", "")
		text = strings.ReplaceAll(text, "\ne ", "\nentente ") // the shorthand of operations.md
		for line := range strings.Lines(text) {
			for _, m := range invocation.FindAllStringSubmatch(line, -1) {
				var path []string
				for _, w := range strings.Fields(m[1]) {
					if !word.MatchString(w) || len(path) == 4 {
						break
					}
					path = append(path, w)
				}
				if len(path) == 0 {
					continue
				}
				seen++
				check(t, page, path, flag.FindAllString(m[1], -1))
			}
		}
	}
	if seen < 15 {
		t.Fatalf("only %d commands were looked at", seen)
	}
}

func check(t *testing.T, page string, path, flags []string) {
	t.Helper()
	help := func(path ...string) string {
		var out, errs bytes.Buffer
		if code := cli.Run(t.Context(), append(path, "--help"), strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("%s shows entente %s: %s", page, strings.Join(path, " "), errs.String())
		}
		return out.String()
	}
	text, depth := help(path[0]), 1
	for ; depth < len(path) && strings.Contains(text, "Available Commands:"); depth++ {
		text = help(path[: depth+1 : depth+1]...)
	}
	path = path[:depth]
	if !strings.Contains(text, "\n  entente "+strings.Join(path, " ")) {
		t.Errorf("%s shows entente %s, which is no command", page, strings.Join(path, " "))
		return
	}
	for _, f := range flags {
		if !regexp.MustCompile(`\s`+f+`\b`).MatchString(text) && f != "--help" {
			t.Errorf("%s shows entente %s %s, which has no such option", page, strings.Join(path, " "), f)
		}
	}
}
