package docs_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"entente/internal/node"
	"entente/internal/notify"
)

// Every key of [notify] and its tables stands on its page, with the default that it has, and the configuration that the page shows is one that a
// node takes.
func TestNotifyIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	defaults := reflect.ValueOf(notify.DefaultConfig())
	seen := 0
	for _, typ := range []reflect.Type{reflect.TypeFor[notify.Config](), reflect.TypeFor[notify.SMTPConfig](), reflect.TypeFor[notify.WebhookConfig]()} {
		for i := range typ.NumField() {
			key := typ.Field(i).Tag.Get("toml")
			if key == "" {
				continue
			}
			seen++
			if !strings.Contains(page, "`"+key+"`") && !strings.Contains(page, "[[notify."+key+"]]") {
				t.Errorf("notifications.md does not tell of %s of %s", key, typ.Name())
			}
			if typ == defaults.Type() && defaults.Field(i).Kind() == reflect.String && defaults.Field(i).String() != "" && !strings.Contains(page, "| `"+key+"` | `"+defaults.Field(i).String()+"` |") {
				t.Errorf("notifications.md tells another default of %s", key)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d keys were found", seen)
	}
	_, rest, ok := strings.Cut(page, "```toml\n")
	text, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("notifications.md shows no configuration")
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+node.ConfigFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.LoadConfig(dir); err != nil {
		t.Error(err)
	}
}
