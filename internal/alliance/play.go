package alliance

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/surface/api"
	"entente/label"
)

// Event is one thing that happens in a day. Its JSON is what "entente demo --json" prints, a line for each.
type Event struct {
	Kind       string `json:"kind"` // "nation", "act", "note", "object", "sees", "purged" or "failed"
	Act        int    `json:"act,omitempty"`
	Title      string `json:"title,omitempty"`
	Name       string `json:"name,omitempty"`
	Org        string `json:"org,omitempty"`
	URL        string `json:"url,omitempty"`
	Nation     string `json:"nation,omitempty"`
	ID         string `json:"id,omitempty"`
	Originator string `json:"originator,omitempty"`
	Accord     string `json:"accord,omitempty"`
	TLP        string `json:"tlp,omitempty"`
	Present    *bool  `json:"present,omitempty"`
	Why        string `json:"why,omitempty"`
	Receipt    string `json:"receipt,omitempty"` // signed by the nation: a DSSE envelope in base64
	Text       string `json:"text,omitempty"`

	What string `json:"-"` // the object as people call it
	New  bool   `json:"-"` // it is about what this act is about
}

// Sight is what is expected: that a nation has something, or that it has not.
type Sight struct {
	Nation  string
	Thing   string
	Present bool
	Why     string // in place of what the originator's node says
}

// Act is a part of a day: what is done, and what everybody sees afterwards.
type Act struct {
	Title string
	Do    func(ctx context.Context, d *Day) error
	Sees  []Sight
	// Within is how long what is expected may take; 0: as long as anything.
	Within time.Duration
}

// thing is an object of the day.
type thing struct {
	Event          // as it was told
	text    string // it says this; nothing else in the world does
	without string // and not this
}

// Day is a day that is being played.
type Day struct {
	*Alliance
	tell     func(Event)
	act      int
	within   time.Duration
	things   map[string]*thing
	expected []Sight // of all acts so far, the last word of each nation and thing
	failures int
}

// patience is how long anything may take on a machine that has much to do.
const patience = 2 * time.Minute

// Play plays acts one after the other. After each, everything that was seen or not seen so far is looked at again. An expectation that is not met is told
// as it is found, and the play goes on; at its end it is an error.
func (a *Alliance) Play(ctx context.Context, acts []Act, tell func(Event)) error {
	d := &Day{Alliance: a, tell: tell, things: map[string]*thing{}}
	for i, act := range acts {
		d.act, d.within = i+1, cmp.Or(act.Within, patience)
		d.tell(Event{Kind: "act", Act: d.act, Title: act.Title})
		if err := act.Do(ctx, d); err != nil {
			return fmt.Errorf("act %d, %s: %w", d.act, act.Title, err)
		}
		if err := d.look(ctx, act.Sees...); err != nil {
			return fmt.Errorf("act %d, %s: %w", d.act, act.Title, err)
		}
		if err := d.lookAgain(ctx, act.Sees); err != nil {
			return fmt.Errorf("act %d, %s: %w", d.act, act.Title, err)
		}
	}
	if d.failures > 0 {
		return fault.New(fault.Unprocessable, "demo.expectation", "%d expectations were not met", d.failures)
	}
	return nil
}

// Say tells what happens.
func (d *Day) Say(format string, args ...any) {
	d.tell(Event{Kind: "note", Act: d.act, Text: fmt.Sprintf(format, args...)})
}

func (d *Day) fail(format string, args ...any) {
	d.failures++
	d.tell(Event{Kind: "failed", Act: d.act, Text: fmt.Sprintf(format, args...)})
}

// until waits for something to come about.
func until(ctx context.Context, within time.Duration, holds func() (bool, error)) (bool, error) {
	for end := time.Now().Add(within); ; {
		ok, err := holds()
		if ok || err != nil || time.Now().After(end) {
			return ok, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// await waits for what must come about for the day to go on.
func await(ctx context.Context, what string, holds func() (bool, error)) error {
	ok, err := until(ctx, patience, holds)
	if err == nil && !ok {
		err = fault.New(fault.Unprocessable, "demo.late", "this did not come about: %s", what)
	}
	return err
}

// make hands in an object at the node of its originator, where nobody else has it yet.
func (d *Day) make(ctx context.Context, name, code, accord, typ string, tlp label.TLP, text string, more map[string]any) error {
	n := d.Find(code)
	id, bundle, err := stixObject(typ, tlp, time.Now(), more)
	if err != nil {
		return err
	}
	s, err := n.API.Import(ctx, bytes.NewReader(bundle), nil, func(api.Event) {})
	if err != nil {
		return err
	}
	if s.Added != 1 {
		return fault.New(fault.Internal, "demo.object", "%s did not take %s: %+v", code, id, s)
	}
	t := &thing{Event: Event{Kind: "object", Act: d.act, ID: id, Originator: code, Accord: accord, TLP: tlp.String(), What: name}, text: text}
	d.things[name] = t
	d.tell(t.Event)
	return nil
}

// share names parties of the accord of a thing as those who may have it.
func (d *Day) share(ctx context.Context, name string, with ...string) error {
	t := d.things[name]
	_, err := d.Find(t.Originator).API.Share(ctx, t.ID, api.SharingRequest{Accord: t.Accord, With: with})
	return err
}

// has tells whether a nation's node has a thing: its very bytes, found by whoever may see everything there.
func (d *Day) has(ctx context.Context, code string, t *thing) (bool, error) {
	var raw bytes.Buffer
	err := d.Find(code).API.Raw(ctx, t.ID, nil, &raw)
	if fault.Of(err) == fault.NotFound || fault.Of(err) == fault.Withheld {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b := raw.Bytes()
	if !bytes.Contains(b, []byte(t.ID)) || !bytes.Contains(b, []byte(t.text)) || t.without != "" && bytes.Contains(b, []byte(t.without)) {
		d.fail("what %s has as %s is not what was shared", code, t.ID)
	}
	return true, nil
}

// look waits for what is expected, and tells what is there.
func (d *Day) look(ctx context.Context, sights ...Sight) error {
	for _, s := range sights {
		if err := d.see(ctx, s, true); err != nil {
			return err
		}
		d.expected = slices.DeleteFunc(d.expected, func(o Sight) bool { return o.Nation == s.Nation && o.Thing == s.Thing })
		d.expected = append(d.expected, s)
	}
	return nil
}

// lookAgain looks at what earlier acts were about, which must be as it was.
func (d *Day) lookAgain(ctx context.Context, but []Sight) error {
	for _, s := range d.expected {
		if slices.ContainsFunc(but, func(o Sight) bool { return o.Nation == s.Nation && o.Thing == s.Thing }) {
			continue
		}
		if err := d.see(ctx, s, false); err != nil {
			return err
		}
	}
	return nil
}

func (d *Day) see(ctx context.Context, s Sight, isNew bool) error {
	t := d.things[s.Thing]
	if t == nil {
		return fault.New(fault.Internal, "demo.thing", "nothing is called %q", s.Thing)
	}
	met, err := until(ctx, d.within, func() (bool, error) {
		has, err := d.has(ctx, s.Nation, t)
		return has == s.Present, err
	})
	if err != nil {
		return err
	}
	e := Event{Kind: "sees", Act: d.act, Nation: s.Nation, ID: t.ID, Present: &s.Present, Why: s.Why, What: t.What, New: isNew}
	if !met {
		present := !s.Present
		e.Present = &present
	}
	if e.Why == "" {
		if e.Why, err = d.why(ctx, t, s.Nation, *e.Present); err != nil {
			return err
		}
	}
	d.tell(e)
	if !met {
		d.fail("%s was to %s %s", s.Nation, map[bool]string{true: "see", false: "not see"}[s.Present], t.ID)
	}
	return nil
}

// why is what the originator's node says about a party.
func (d *Day) why(ctx context.Context, t *thing, code string, present bool) (string, error) {
	if code == t.Originator {
		return code + " made it", nil
	}
	judged, err := d.Find(t.Originator).API.Simulate(ctx, t.ID, "", 0)
	if err != nil {
		return "", err
	}
	party := label.Org(code, d.Find(code).Org)
	var nearest *federation.Judged
	least := 0
	for i := range judged {
		j := &judged[i]
		if "org:"+j.Party != party {
			continue
		}
		n := len(denials(j))
		if j.Accord == t.Accord {
			n = -1 // it is the one that was meant
		}
		if nearest == nil || n < least {
			nearest, least = j, n
		}
	}
	switch {
	case nearest == nil:
		return fmt.Sprintf("no accord binds %s and %s", t.Originator, code), nil
	case present && nearest.Permit:
		return "given under " + nearest.Clause, nil
	case nearest.Permit:
		return nearest.Clause + " permits it, and it did not arrive", nil
	case nearest.Waits:
		return "accord " + nearest.Accord + ": a release officer has not signed yet", nil
	case nearest.Why != "":
		return "accord " + nearest.Accord + ": " + nearest.Why, nil
	}
	var said []string
	for _, r := range denials(nearest) {
		switch r {
		case "accord.audience":
			return "the audience does not name " + code, nil
		case "accord.suspended":
			return "accord " + nearest.Accord + " is suspended", nil
		case "accord.kind":
			kind, _, _ := strings.Cut(t.ID, "--")
			said = append(said, "gives no "+kind)
		default:
			said = append(said, sentence(nearest, r))
		}
	}
	return "accord " + nearest.Accord + " " + strings.Join(said, ", "), nil
}

// denials are the codes of what stands against a record. That one give is for other kinds says nothing where another is for this one.
func denials(j *federation.Judged) (codes []string) {
	if j.Permit || j.Waits {
		return nil
	}
	meant := slices.ContainsFunc(j.Reasons, func(r gate.Reason) bool { return strings.Contains(r.Clause, " give ") && r.Code != "accord.kind" })
	for _, r := range j.Reasons {
		if !r.Permit && !slices.Contains(codes, r.Code) && !(meant && r.Code == "accord.kind") {
			codes = append(codes, r.Code)
		}
	}
	return codes
}

func sentence(j *federation.Judged, code string) string {
	for _, r := range j.Reasons {
		if r.Code == code && !r.Permit {
			return r.Sentence
		}
	}
	return code
}
