package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"entente/internal/node"
)

// The defaults that configuration.md tells are those of the node.
func TestDefaultsAreTrue(t *testing.T) {
	page, err := os.ReadFile("configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := toml.Marshal(node.DefaultConfig(""))
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]any
	if err := toml.Unmarshal(raw, &defaults); err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1)
	if len(told) < 8 {
		t.Fatalf("only %d defaults were found", len(told))
	}
	for _, m := range told {
		var doc map[string]any
		if err := toml.Unmarshal([]byte(m[1]+" = "+m[2]), &doc); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		var is, says any = defaults, doc
		for _, part := range strings.Split(m[1], ".") {
			is, says = is.(map[string]any)[part], says.(map[string]any)[part]
		}
		if d := cmp.Diff(is, says); d != "" {
			t.Errorf("configuration.md on %s (-node +page): %s", m[1], d)
		}
	}
}

// The configuration that feeds.md shows is one that a node takes.
func TestFeedExamplesAreTaken(t *testing.T) {
	page, err := os.ReadFile("feeds.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "```toml\n")
	text, _, closed := strings.Cut(rest, "```")
	if !ok || !closed || strings.Count(text, "[[feed]]") < 5 {
		t.Fatal("feeds.md shows no feeds")
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+node.ConfigFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.LoadConfig(dir); err != nil {
		t.Error(err)
	}
}

// The providers that sign-in.md shows are ones that a node takes.
func TestProviderExamplesAreTaken(t *testing.T) {
	page, err := os.ReadFile("sign-in.md")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, m := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllSubmatch(page, -1) {
		text += string(m[1])
	}
	if strings.Count(text, "[[auth.oidc]]") != 2 {
		t.Fatal("sign-in.md shows no providers")
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+node.ConfigFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := node.LoadConfig(dir); err != nil || len(c.Auth.OIDC) != 2 || c.Auth.OIDC[1].Roles["threat-intel"] == nil {
		t.Errorf("%+v %v", c.Auth.OIDC, err)
	}
}
