package event

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Plan is the set of fields that are asked for. It is made once, and then read by any number of goroutines.
type Plan struct {
	root  *node
	paths map[string]int // by path, its parts joined with 0
	slots int

	mapped Mapping
}

// node is an object of which some members are asked for.
type node struct {
	table []member // open addressing; its length is a power of two
	all   []*member
}

type member struct {
	name []byte
	hash uint32
	slot int   // -1: only what is inside is asked for
	also []int // more slots: names that mean this member too
	down *node
}

// NewPlan makes a plan that asks for nothing.
func NewPlan() *Plan { return &Plan{root: new(node), paths: map[string]int{}} }

// Slots is how many slots the plan has given.
func (p *Plan) Slots() int { return p.slots }

// Slot asks for the field at a path of names, from the outermost object inwards, and gives its slot: the same for the same path. In lists it stands for every element. Spaces
// in names do not count: producers of Windows events write the names of event data with and without them.
func (p *Plan) Slot(path ...string) int {
	key := ""
	for _, name := range path {
		key += squeeze(name) + "\x00"
	}
	slot, ok := p.paths[key]
	if !ok {
		slot = p.slots
		p.slots++
		p.paths[key] = slot
		p.put(slot, path)
	}
	return slot
}

// Also lets a second path fill the slot of another: where producers name the same differently.
func (p *Plan) Also(slot int, path ...string) { p.put(slot, path) }

func (p *Plan) put(slot int, path []string) {
	if len(path) == 0 {
		return
	}
	n := p.root
	for i, name := range path {
		m := n.want([]byte(squeeze(name)))
		if i < len(path)-1 {
			if m.down == nil {
				m.down = new(node)
			}
			n = m.down
		} else if m.slot < 0 {
			m.slot = slot
		} else if m.slot != slot && !slices.Contains(m.also, slot) {
			m.also = append(m.also, slot)
		}
	}
}

func squeeze(name string) string {
	return string(bytes.ReplaceAll([]byte(name), []byte(" "), nil))
}

// want finds or makes a member.
func (n *node) want(name []byte) *member {
	if m := n.find(name); m != nil {
		return m
	}
	n.all = append(n.all, &member{name: slices.Clone(name), hash: hash(name), slot: -1})
	size := 8
	for size < 4*len(n.all) {
		size *= 2
	}
	n.table = make([]member, size)
	made := n.all
	n.all = n.all[:0:0]
	for _, m := range made {
		i := int(m.hash) & (size - 1)
		for n.table[i].name != nil {
			i = (i + 1) & (size - 1)
		}
		n.table[i] = *m
		n.all = append(n.all, &n.table[i])
	}
	return n.find(name)
}

// find is the member of a name, or nil.
func (n *node) find(name []byte) *member {
	if len(n.table) == 0 {
		return nil
	}
	mask := len(n.table) - 1
	h := hash(name)
	for i := int(h) & mask; ; i = (i + 1) & mask {
		m := &n.table[i]
		if m.name == nil {
			return nil
		}
		if m.hash == h && bytes.Equal(m.name, name) {
			return m
		}
	}
}

// hash mixes the length of a name, its first and its last bytes: names of fields differ there, and what does not is compared.
func hash(b []byte) uint32 {
	var x uint64
	switch n := len(b); {
	case n >= 8:
		x = binary.LittleEndian.Uint64(b) ^ binary.LittleEndian.Uint64(b[n-8:])*0x9E3779B97F4A7C15
	case n >= 4:
		x = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
	case n > 0:
		x = uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16
	}
	x = (x + uint64(len(b))) * 0xD6E8FEB86659FD93
	return uint32(x >> 32)
}
