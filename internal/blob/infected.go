package blob

import (
	"archive/zip"
	"crypto/rand"
	"hash/crc32"
	"io"

	"entente/internal/fault"
)

// Password is what samples are wrapped with wherever they are exchanged. Everybody knows it: it keeps scanners and careless fingers away
// and protects nothing.
const Password = "infected"

// Infected writes the content as a ZIP with the password "infected", in the traditional PKWARE encryption that every analyst's tool opens
// (APPNOTE.TXT 6.3.10, section 6.1). The cipher is broken; it is a convention of handling and no protection.
func (c *Content) Infected(w io.Writer) error {
	z := zip.NewWriter(w)
	h := &zip.FileHeader{Name: c.Name, Method: zip.Store, CRC32: c.crc, UncompressedSize64: uint64(c.Size), CompressedSize64: uint64(c.Size) + zipHead, Flags: 1, CreatorVersion: 20, ReaderVersion: 20}
	const utf8Names = 1 << 11
	h.Flags |= utf8Names
	//lint:ignore SA1019 CreateRaw writes these two and not Modified
	h.ModifiedDate, h.ModifiedTime = dosTime(c)
	entry, err := z.CreateRaw(h)
	if err != nil {
		return fault.New(fault.Internal, "blob.zip", "the sample could not be wrapped").Because(err)
	}
	k := newZipKeys(Password)
	var first [zipHead]byte
	rand.Read(first[:])
	first[zipHead-1] = byte(c.crc >> 24) // by it a tool tells a wrong password
	k.encrypt(first[:])
	if _, err := entry.Write(first[:]); err != nil {
		return err
	}
	buf := make([]byte, chunkSize)
	for {
		n, err := c.Read(buf)
		k.encrypt(buf[:n])
		if _, werr := entry.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return z.Close()
		}
		if err != nil {
			return err
		}
	}
}

// InfectedSize is the length of what Infected writes.
func (c *Content) InfectedSize() int64 {
	const local, central, end = 30, 46, 22 // APPNOTE.TXT sections 4.3.7, 4.3.12 and 4.3.16
	return local + central + end + 2*int64(len(c.Name)) + zipHead + c.Size
}

// dosTime is when a blob was added as MS-DOS has it.
func dosTime(c *Content) (date, clock uint16) {
	t := c.Added.UTC()
	year := min(max(t.Year(), 1980), 2107)
	return uint16(t.Day() + int(t.Month())<<5 + (year-1980)<<9), uint16(t.Second()/2 + t.Minute()<<5 + t.Hour()<<11)
}

const zipHead = 12 // random bytes before the content

// zipKeys is the state of the traditional PKWARE encryption.
type zipKeys [3]uint32

func newZipKeys(password string) *zipKeys {
	k := &zipKeys{0x12345678, 0x23456789, 0x34567890}
	for i := range len(password) {
		k.update(password[i])
	}
	return k
}

func (k *zipKeys) update(b byte) {
	k[0] = crc32.IEEETable[byte(k[0])^b] ^ k[0]>>8
	k[1] = (k[1]+k[0]&0xff)*134775813 + 1
	k[2] = crc32.IEEETable[byte(k[2])^byte(k[1]>>24)] ^ k[2]>>8
}

func (k *zipKeys) stream() byte {
	t := k[2]&0xffff | 2
	return byte(t * (t ^ 1) >> 8)
}

func (k *zipKeys) encrypt(b []byte) {
	for i, plain := range b {
		b[i] = plain ^ k.stream()
		k.update(plain)
	}
}
