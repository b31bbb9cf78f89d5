package keylog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrPrefix begins the text of a QR code. All of the text is in the alphanumeric mode of QR codes (ISO/IEC 18004), which is the smallest.
const qrPrefix = "ENTENTE:"

// quiet is the light border that readers of QR codes need, in modules.
const quiet = 4

// QR is a fingerprint and whose it is, to be read by a camera.
type QR struct {
	Text string
	dark [][]bool
}

// QR makes the code of a nation's fingerprint.
func (f Fingerprint) QR(nation string) (QR, error) {
	if !nationForm.MatchString(nation) {
		return QR{}, refuse("words.form", "this is not a nation's code")
	}
	q := QR{Text: qrPrefix + nation + ":" + strings.ToUpper(f.String())}
	code, err := qr.Encode(q.Text, qr.M, qr.AlphaNumeric)
	if err != nil {
		return QR{}, refuse("words.form", "the code cannot be drawn: ", err.Error())
	}
	size := code.Bounds().Dx()
	q.dark = make([][]bool, size+2*quiet)
	for y := range q.dark {
		q.dark[y] = make([]bool, size+2*quiet)
	}
	for y := range size {
		for x := range size {
			q.dark[y+quiet][x+quiet] = color.GrayModel.Convert(code.At(x, y)).(color.Gray).Y < 128
		}
	}
	return q, nil
}

// ParseQR reads the text of a code.
func ParseQR(text string) (nation string, f Fingerprint, err error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), qrPrefix)
	nation, digits, found := strings.Cut(rest, ":")
	if !ok || !found || !nationForm.MatchString(nation) || len(digits) != 2*len(f) {
		return "", Fingerprint{}, refuse("words.form", "this is not the code of a nation's fingerprint")
	}
	if _, err := hex.Decode(f[:], []byte(digits)); err != nil {
		return "", Fingerprint{}, refuse("words.form", "this is not the code of a nation's fingerprint")
	}
	return nation, f, nil
}

// PNG draws the code with so many pixels to a module, 1 to 32.
func (q QR) PNG(scale int) ([]byte, error) {
	scale = min(max(scale, 1), 32)
	n := len(q.dark) * scale
	img := image.NewPaletted(image.Rect(0, 0, n, n), color.Palette{color.White, color.Black})
	for y := range n {
		for x := range n {
			if q.dark[y/scale][x/scale] {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, refuse("words.form", "the code cannot be drawn: ", err.Error())
	}
	return b.Bytes(), nil
}

// SVG draws the code as a picture that scales.
func (q QR) SVG() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`,
		len(q.dark), len(q.dark), len(q.dark), len(q.dark))
	for y, row := range q.dark {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes()
}

// Text draws the code for a terminal, two modules to a character. Light modules are drawn, so that it is right on a dark ground.
func (q QR) String() string {
	var b strings.Builder
	for y := 0; y < len(q.dark); y += 2 {
		for x := range q.dark {
			top, bottom := !q.dark[y][x], y+1 < len(q.dark) && !q.dark[y+1][x]
			b.WriteString(map[[2]bool]string{{true, true}: "█", {true, false}: "▀", {false, true}: "▄", {false, false}: " "}[[2]bool{top, bottom}])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
