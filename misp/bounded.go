package misp

import "io"

// boundedReader refuses to read more than is left.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, tooLarge()
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

func tooLarge() error {
	return &Error{Code: CodeSize, Offset: -1, Rule: "limits of the reader", Message: "the input is larger than the limit"}
}
