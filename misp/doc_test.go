package misp

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page on MISP explains every loss code.
func TestLossCodesAreExplained(t *testing.T) {
	page, err := os.ReadFile("../docs/misp.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("error.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Loss\w+ += "([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 10 {
		t.Fatalf("only %d codes", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(string(page), "`"+code[1]+"`") {
			t.Errorf("docs/misp.md does not explain %s", code[1])
		}
	}
}
