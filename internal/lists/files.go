package lists

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxFiles = 10_000
	maxFile  = 256 << 20 // unpacked
	maxDepth = 4         // of directories below the one that is named
)

// walk reads the files of a name, or without one all that end in ".json", below a directory. They may be packed with gzip. A directory that nobody
// named may be missing.
func (l *set) walk(dir string, sought bool, name string, take func(raw []byte) error) {
	if dir == "" {
		return
	}
	if _, err := os.Stat(dir); err != nil {
		if sought {
			l.fail(filepath.Base(dir), fmt.Errorf("the directory cannot be read"))
		}
		return
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		short := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, dir), string(filepath.Separator)))
		switch plain := strings.TrimSuffix(d.Name(), ".gz"); {
		case err != nil:
			l.fail(short, fmt.Errorf("it cannot be read"))
			return nil
		case d.IsDir():
			if strings.Count(short, "/") >= maxDepth || strings.HasPrefix(d.Name(), ".") && short != "" {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || name == "" && !strings.HasSuffix(plain, ".json") || name != "" && plain != name:
			return nil
		}
		if files++; files > maxFiles {
			l.fail(short, fmt.Errorf("there are more than %d files: the others are left out", maxFiles))
			return filepath.SkipAll
		}
		raw, err := open(path)
		if err == nil {
			err = take(raw)
		}
		if err != nil {
			l.fail(short, err)
		}
		return nil
	})
	if err != nil {
		l.fail(filepath.Base(dir), fmt.Errorf("the directory cannot be read"))
	}
}

func open(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("it cannot be opened")
	}
	defer f.Close()
	b := bufio.NewReader(f)
	var r io.Reader = b
	if magic, _ := b.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("the packed file is damaged")
		}
		r = z
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it cannot be read to its end")
	case len(raw) > maxFile:
		return nil, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return raw, nil
}
