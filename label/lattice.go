package label

import "time"

// Join is the least label that is at least as strict as both.
func Join(a, b Label) Label {
	a.Named, b.Named = a.named(), b.named()
	return Label{
		TLP:         min(known(tlpNames, a.TLP), known(tlpNames, b.TLP)),
		PAP:         min(known(papNames, a.PAP), known(papNames, b.PAP)),
		Onward:      min(known(onwardNames, a.Onward), known(onwardNames, b.Onward)),
		Attribution: joinAttribution(known(attributionNames, a.Attribution), known(attributionNames, b.Attribution)),
		Purge:       min(known(purgeNames, a.Purge), known(purgeNames, b.Purge)),
		Access:      min(known(accessNames, a.Access), known(accessNames, b.Access)),
		Purpose:     a.Purpose & b.Purpose & EveryPurpose,
		Class:       joinClass(a.Class, b.Class),
		Mode:        joinMode(a.Mode, b.Mode),
		Audience:    a.Audience.Intersect(b.Audience),
		Named:       a.Named && b.Named,
		Sector:      a.Sector.Intersect(b.Sector),
		Authority:   a.Authority.Union(b.Authority),
		Caveat:      a.Caveat.Union(b.Caveat),
		NotBefore:   later(bounded(a.NotBefore), bounded(b.NotBefore)),
		NotAfter:    firstEnd(bounded(a.NotAfter), bounded(b.NotAfter)),
	}
}

// JoinAll is the least label that is at least as strict as each; of none it is Bottom.
func JoinAll(labels ...Label) Label {
	l := Bottom()
	for _, other := range labels {
		l = Join(l, other)
	}
	return l
}

// Meet is the strictest label that is no stricter than either. It is no way to declassify: only originators permit more.
func Meet(a, b Label) Label {
	l := Label{
		TLP:         max(known(tlpNames, a.TLP), known(tlpNames, b.TLP)),
		PAP:         max(known(papNames, a.PAP), known(papNames, b.PAP)),
		Onward:      max(known(onwardNames, a.Onward), known(onwardNames, b.Onward)),
		Attribution: meetAttribution(known(attributionNames, a.Attribution), known(attributionNames, b.Attribution)),
		Purge:       max(known(purgeNames, a.Purge), known(purgeNames, b.Purge)),
		Access:      max(known(accessNames, a.Access), known(accessNames, b.Access)),
		Purpose:     (a.Purpose | b.Purpose) & EveryPurpose,
		Class:       meetClass(a.Class, b.Class),
		Mode:        meetMode(a.Mode, b.Mode),
		Audience:    a.Audience.Union(b.Audience),
		Named:       a.named() || b.named(),
		Sector:      a.Sector.Union(b.Sector),
		Authority:   a.Authority.Intersect(b.Authority),
		Caveat:      a.Caveat.Intersect(b.Caveat),
		NotBefore:   sooner(bounded(a.NotBefore), bounded(b.NotBefore)),
		NotAfter:    lastEnd(bounded(a.NotAfter), bounded(b.NotAfter)),
	}
	if l.Named && l.Audience.IsAll() {
		l.TLP = Clear // naming everybody is no stricter than this
	}
	return l
}

// named tells whether naming counts: under a TLP that reaches less than everybody, everybody is not a name.
func (l Label) named() bool { return l.Named && (l.TLP == Clear || !l.Audience.IsAll()) }

// LessEqual tells whether a is no stricter than b in every dimension: whether Join(a, b) is b.
func LessEqual(a, b Label) bool { return Equal(Join(a, b), b) }

// Equal tells whether two labels restrict alike. Equal labels have equal canonical bytes.
func Equal(a, b Label) bool { return a.normal() == b.normal() }

// normal is the label with its chains within their bounds, naming where it counts, and its times bounded, in microseconds and UTC, so that == tells equality.
func (l Label) normal() Label {
	l.TLP, l.PAP, l.Onward = known(tlpNames, l.TLP), known(papNames, l.PAP), known(onwardNames, l.Onward)
	l.Attribution, l.Purge, l.Access = known(attributionNames, l.Attribution), known(purgeNames, l.Purge), known(accessNames, l.Access)
	l.Purpose &= EveryPurpose
	l.Named = l.named()
	l.NotBefore, l.NotAfter = bounded(l.NotBefore), bounded(l.NotAfter)
	return l
}

// bounded is the time in UTC and whole microseconds, within the bounds of all times; no time stays no time.
func bounded(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return time.Time{}
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// An embargo begins at no time: the zero time, which is before all others.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Retention ends at no time: the zero time stands for one after all others.
func firstEnd(a, b time.Time) time.Time {
	switch {
	case a.IsZero():
		return b
	case b.IsZero():
		return a
	}
	return sooner(a, b)
}

func lastEnd(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	return later(a, b)
}
