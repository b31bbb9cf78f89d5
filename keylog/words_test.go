package keylog

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The words of all zeros and all ones are those of BIP-39's own test vectors.
func TestWordsAreThoseOfTheList(t *testing.T) {
	if got := (Fingerprint{}).Words(); got != strings.Repeat("abandon ", 23)+"art" {
		t.Error(got)
	}
	if got := Fingerprint(bytes.Repeat([]byte{0xff}, 32)).Words(); got != strings.Repeat("zoo ", 23)+"vote" {
		t.Error(got)
	}
}

func TestWordsComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var f Fingerprint
		copy(f[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "f"))
		words := strings.Fields(f.Words())
		if got, err := ParseWords(strings.ToUpper(strings.Join(words, "\n "))); err != nil || got != f {
			rt.Fatalf("%v", err)
		}
		for i, w := range words { // four letters are enough
			words[i] = w[:min(4, len(w))]
		}
		if got, err := ParseWords(strings.Join(words, " ")); err != nil || got != f {
			rt.Fatalf("%v", err)
		}
		q, err := f.QR("UTO")
		if err != nil {
			rt.Fatal(err)
		}
		if nation, got, err := ParseQR(q.Text); err != nil || nation != "UTO" || got != f {
			rt.Fatalf("%v", err)
		}
	})
}

func TestWrongWordsAreExplained(t *testing.T) {
	right := strings.Fields((Fingerprint{}).Words())
	for name, c := range map[string]struct {
		change func([]string) []string
		want   string
	}{
		"a slip":      {func(w []string) []string { w[6] = "abandom"; return w }, `word 7, "abandom", is not in the list; it may be abandon`},
		"two letters": {func(w []string) []string { w[23] = "arrt"; return w }, `it may be `},
		"no word":     {func(w []string) []string { w[0] = "xqxqxqxq"; return w }, `word 1, "xqxqxqxq", is not in the list`},
		"too few":     {func(w []string) []string { return w[:23] }, "these are 23"},
		"another":     {func(w []string) []string { w[0] = "zoo"; return w }, "two have changed places"},
	} {
		_, err := ParseWords(strings.Join(c.change(append([]string(nil), right...)), " "))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodesAreDrawn(t *testing.T) {
	q, err := Fingerprint{1, 2, 3}.QR("UTO")
	if err != nil {
		t.Fatal(err)
	}
	b, err := q.PNG(4)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil || img.Bounds().Dx() != 4*len(q.dark) {
		t.Fatalf("%v", err)
	}
	// a finder pattern stands behind the light border: its corner is dark, its ring light, its heart dark
	for _, at := range []struct {
		x, y int
		dark bool
	}{{0, 0, false}, {3, 3, false}, {4, 4, true}, {5, 5, false}, {6, 6, true}, {len(q.dark) - 1, 9, false}} {
		if r, _, _, _ := img.At(4*at.x, 4*at.y).RGBA(); (r == 0) != at.dark {
			t.Errorf("module %+v", at)
		}
	}
	lines := strings.Split(strings.TrimSuffix(q.String(), "\n"), "\n")
	if len(lines) != (len(q.dark)+1)/2 || len([]rune(lines[0])) != len(q.dark) || strings.Trim(lines[0], "█") != "" {
		t.Errorf("%d lines", len(lines))
	}
	if svg := string(q.SVG()); !strings.HasPrefix(svg, "<svg ") || !strings.Contains(svg, "M4 4h1v1h-1z") {
		t.Error("the picture lacks its first module")
	}
	for _, text := range []string{"", "ENTENTE:UTO", "ENTENTE:uto:" + strings.Repeat("0", 64), "ENTENTE:UTO:" + strings.Repeat("Z", 64), q.Text + "0"} {
		if _, _, err := ParseQR(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func FuzzParseWords(f *testing.F) {
	f.Add((Fingerprint{7}).Words())
	f.Add("abandom zoo")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParseWords(text); err == nil {
			if again, err := ParseWords(got.Words()); err != nil || again != got {
				t.Fatal("the words do not come back")
			}
		}
	})
}
