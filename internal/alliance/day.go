package alliance

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/surface/api"
	"entente/label"
	"entente/peer"
)

// Invented is the day of the four invented nations. What a thing says in its text is said nowhere else.
func Invented() []Act {
	return []Act{
		{Title: "Four nations sign four accords", Do: signAll},
		{Title: "Shared under one accord, and not under another", Do: morning, Sees: []Sight{
			{"RUR", "the indicator", true, ""}, {"FRE", "the indicator", false, ""}, {"SYL", "the indicator", false, ""},
			{"UTO", "the malware", true, ""}, {"FRE", "the malware", true, ""}, {"SYL", "the malware", false, ""},
			{"RUR", "the campaign", true, ""}, {"FRE", "the campaign", true, ""}, {"SYL", "the campaign", true, ""},
		}},
		{Title: "Experts of two nations share a technique", Do: technique, Sees: []Sight{
			{"UTO", "the technique", true, ""}, {"RUR", "the technique", false, ""}, {"SYL", "the technique", false, ""},
		}},
		{Title: "A third nation is admitted to the experts' accord", Do: admit, Sees: []Sight{
			{"UTO", "the technique", true, ""}, {"SYL", "the technique", true, ""}, {"RUR", "the technique", false, ""},
		}},
		{Title: "A reduced copy for a partner", Do: incident, Sees: []Sight{
			{"UTO", "the reduced incident", true, "accord " + bilateral + " takes the description out: Utopia has a copy without it, under an id of its own"},
			{"UTO", "the incident", false, "accord " + bilateral + " takes the description out, so the incident itself stays in Ruritania"},
			{"FRE", "the incident", false, ""}, {"SYL", "the incident", false, ""},
		}},
		{Title: "An assessment waits for a release officer", Do: assessment, Sees: []Sight{
			{"UTO", "the assessment", true, ""}, {"RUR", "the assessment", true, ""}, {"SYL", "the assessment", false, ""},
		}},
		{Title: "What was wrong is retracted", Do: retract, Sees: []Sight{
			{"UTO", "the malware", false, "Ruritania retracted it"}, {"FRE", "the malware", false, "Ruritania retracted it"}, {"RUR", "the malware", true, "Ruritania made it, and keeps it"},
		}},
		{Title: "What must not exist is purged, with receipts", Do: purge, Sees: []Sight{
			{"UTO", "the technique", false, "Freedonia purged it"}, {"SYL", "the technique", false, "Freedonia purged it"}, {"FRE", "the technique", false, "Freedonia purged it"},
			{"RUR", "the technique", false, "Ruritania never had it"},
		}},
		{Title: "An accord is suspended", Do: suspend, Sees: []Sight{
			{"RUR", "the second indicator", false, ""}, {"RUR", "the indicator", true, "a suspension takes nothing back"}, {"RUR", "the warning", true, ""},
		}},
		{Title: "It is resumed", Do: resume, Sees: []Sight{
			{"RUR", "the second indicator", true, ""}, {"FRE", "the second indicator", false, ""},
		}},
		{Title: "A line is cut", Do: part, Sees: []Sight{
			{"UTO", "the first advisory", true, ""}, {"FRE", "the second advisory", true, ""},
			{"RUR", "the first advisory", false, "the lines of Ruritania are cut; what is for it waits in the log of Sylvania"},
			{"RUR", "the second advisory", false, "the lines of Ruritania are cut; what is for it waits in the log of Sylvania"},
		}},
		{Title: "It is healed", Do: heal, Sees: []Sight{
			{"RUR", "the first advisory", true, ""}, {"RUR", "the second advisory", true, ""},
		}},
	}
}

// signAll has every accord written at the node of its first party, sent over the wire, and signed everywhere.
func signAll(ctx context.Context, d *Day) error {
	d.Say("Every two nations have exchanged cards and compared the fingerprints of their keys: 24 words, read out by people. Here one process does it for them.")
	for _, c := range accordsOfTheDay {
		d.Say("%s writes and signs accord %s, version 1: %s. It goes to %s over the wire, who sign, too.", c.parties[0], c.name, c.title, list(c.parties[1:]))
		if _, err := d.agree(ctx, c); err != nil {
			return err
		}
		d.Say("It binds %s.", list(c.parties))
	}
	return nil
}

// agree signs an accord at the node of every party, the first of which writes it, and waits until it binds all of them.
func (d *Day) agree(ctx context.Context, c clauses) (digest string, err error) {
	text, err := accord.Format(c.text(time.Now(), label.Mode(d.realm)))
	if err != nil {
		return "", err
	}
	v, err := d.Find(c.parties[0]).API.AddAccord(ctx, text)
	if err != nil {
		return "", err
	}
	for _, code := range c.parties {
		n := d.Find(code)
		if err := await(ctx, "accord "+c.name+" reaches "+code, func() (bool, error) {
			_, err := n.API.Accord(ctx, v.Digest, 0, "")
			if fault.Of(err) == fault.NotFound {
				return false, nil
			}
			return err == nil, err
		}); err != nil {
			return "", err
		}
		if _, err := n.API.SignAccord(ctx, v.Digest, 0); err != nil {
			return "", err
		}
	}
	for _, code := range c.parties {
		if err := await(ctx, "accord "+c.name+" binds "+code, func() (bool, error) {
			at, err := d.Find(code).API.Accord(ctx, v.Digest, 0, "")
			return at.Phase == accords.Active && at.Meets == 0, err
		}); err != nil {
			return "", err
		}
	}
	return v.Digest, nil
}

func morning(ctx context.Context, d *Day) error {
	const address = "203.0.113.77"
	d.Say("Something speaks to the cranes of the harbours. Utopia found where it calls, and shares that with Ruritania alone, under their bilateral accord: TLP:AMBER.")
	if err := d.make(ctx, "the indicator", "UTO", bilateral, "indicator", label.Amber, address, map[string]any{"name": "Crane controller calls home", "pattern": "[ipv4-addr:value = '" + address + "']",
		"indicator_types": []string{"malicious-activity"}}); err != nil {
		return err
	}
	if err := d.share(ctx, "the indicator"); err != nil {
		return err
	}
	d.Say("Ruritania took the thing itself apart, and shares that with Utopia and Freedonia, under the accord of the three: TLP:AMBER.")
	if err := d.make(ctx, "the malware", "RUR", trilateral, "malware", label.Amber, "Tidewrack", map[string]any{"name": "Tidewrack", "is_family": false}); err != nil {
		return err
	}
	if err := d.share(ctx, "the malware"); err != nil {
		return err
	}
	d.Say("Utopia warns the whole alliance of the campaign: TLP:GREEN, which under that accord means its parties.")
	return d.make(ctx, "the campaign", "UTO", allied, "campaign", label.Green, "Mirror Tide", map[string]any{"name": "Mirror Tide", "description": "Cranes move at night, and the logs say that they did not."})
}

func technique(ctx context.Context, d *Day) error {
	d.Say("Freedonia's experts know how it hides, and share that with those of Utopia, under the experts' accord of the two: TLP:AMBER.")
	if err := d.make(ctx, "the technique", "FRE", experts, "attack-pattern", label.Amber, "backwards through the tide table", map[string]any{"name": "Replayed sensor tide",
		"description": "It plays the readings of last month backwards through the tide table."}); err != nil {
		return err
	}
	return d.share(ctx, "the technique")
}

func admit(ctx context.Context, d *Day) error {
	one, err := d.Find("FRE").API.Accord(ctx, experts, 0, "")
	if err != nil {
		return err
	}
	d.Say("Utopia and Freedonia admit Sylvania: version 2 of accord %s names three parties, and all three sign it.", experts)
	if _, err := d.agree(ctx, expertsOf(2, one.Digest, "FRE", "UTO", "SYL")); err != nil {
		return err
	}
	d.Say("That alone gives Sylvania nothing that was shared before. Freedonia names it in the audience of the technique.")
	return d.share(ctx, "the technique", "SYL")
}

func incident(ctx context.Context, d *Day) error {
	const secret = "Pier nine stood still for six hours"
	d.Say("Ruritania shares an incident with Utopia: TLP:AMBER. Their accord gives incidents without their description.")
	if err := d.make(ctx, "the incident", "RUR", bilateral, "incident", label.Amber, "A harbour stood still", map[string]any{"name": "A harbour stood still", "description": secret}); err != nil {
		return err
	}
	if err := d.share(ctx, "the incident"); err != nil {
		return err
	}
	t := d.things["the incident"]
	var out federation.Given
	if err := await(ctx, "the reduced copy goes out", func() (bool, error) {
		given, err := d.Find("RUR").API.Given(ctx, t.ID)
		if err != nil || len(given) == 0 {
			return false, err
		}
		out = given[0]
		return true, nil
	}); err != nil {
		return err
	}
	if out.Class != "reduced" || out.ID == t.ID {
		d.fail("the incident went out as it is: %s %s", out.Class, out.ID)
	}
	reduced := *t
	reduced.ID, reduced.What, reduced.without = out.ID, "the reduced incident", secret
	d.things[reduced.What] = &reduced
	d.tell(reduced.Event)
	return nil
}

func assessment(ctx context.Context, d *Day) error {
	d.Say("Freedonia's assessment of who is behind it is for the three: TLP:AMBER. Their accord asks for the signature of a release officer.")
	campaign := d.things["the campaign"].ID
	if err := d.make(ctx, "the assessment", "FRE", trilateral, "report", label.Amber, "Who is behind Mirror Tide", map[string]any{"name": "Who is behind Mirror Tide", "report_types": []string{"threat-report"},
		"object_refs": []string{campaign}}); err != nil {
		return err
	}
	if err := d.share(ctx, "the assessment"); err != nil {
		return err
	}
	fre := d.Find("FRE")
	var waiting []federation.Release
	if err := await(ctx, "the releases wait", func() (bool, error) {
		all, err := fre.API.Releases(ctx)
		waiting = waiting[:0]
		for _, r := range all {
			if r.State == federation.Waiting && r.ID == d.things["the assessment"].ID {
				waiting = append(waiting, r)
			}
		}
		return len(waiting) == 2, err
	}); err != nil {
		return err
	}
	if err := d.look(ctx, Sight{"UTO", "the assessment", false, ""}, Sight{"RUR", "the assessment", false, ""}); err != nil {
		return err
	}
	d.Say("Freedonia's release officer signs for both.")
	for _, r := range waiting {
		if _, err := fre.API.DecideRelease(ctx, api.ReleaseDecision{Key: r.Key, Sign: true, Reason: "cleared"}); err != nil {
			return err
		}
	}
	return nil
}

func retract(ctx context.Context, d *Day) error {
	d.Say("Ruritania finds that its sample was a maintenance tool, and retracts it. Whoever was given it takes it out.")
	_, err := d.Find("RUR").API.Retract(ctx, d.things["the malware"].ID, "it is a maintenance tool")
	return err
}

func purge(ctx context.Context, d *Day) error {
	t := d.things["the technique"]
	d.Say("The technique would endanger a pilot station. Freedonia purges it: every holder destroys it, and signs a receipt that says so.")
	fre := d.Find("FRE")
	holders := []string{"UTO", "SYL", "FRE"}
	for _, code := range holders {
		if found, err := d.Find(code).onDisk(t.text); err != nil || !found {
			if err == nil {
				d.fail("no file of %s holds the technique before the purge", code)
				continue
			}
			return err
		}
	}
	if _, err := fre.API.Purge(ctx, t.ID, false); err != nil {
		return err
	}
	receipts := map[string]string{}
	if err := await(ctx, "every holder signs a receipt", func() (bool, error) {
		given, err := fre.given(ctx, t.ID)
		for _, g := range given {
			for _, act := range g.Acts {
				if act.Did == peer.DidPurge {
					code, _, _ := strings.Cut(strings.TrimPrefix(act.Party, "org:"), "/")
					receipts[code] = base64.StdEncoding.EncodeToString(act.Receipt)
				}
			}
		}
		return receipts["UTO"] != "" && receipts["SYL"] != "", err
	}); err != nil {
		return err
	}
	for _, code := range holders[:2] {
		d.tell(Event{Kind: "purged", Act: d.act, Nation: code, ID: t.ID, Receipt: receipts[code], What: t.What})
	}
	for _, code := range holders {
		gone, err := until(ctx, d.within, func() (bool, error) {
			found, err := d.Find(code).onDisk(t.text)
			return !found, err
		})
		if err != nil {
			return err
		}
		if !gone {
			d.fail("files of %s still hold bytes of the technique", code)
		}
	}
	d.Say("No file of a data directory of theirs holds a byte of it any more.")
	return nil
}

func suspend(ctx context.Context, d *Day) error {
	d.Say("Ruritania suspends its bilateral accord with Utopia. One signature is enough for that.")
	if _, err := d.Find("RUR").API.NotifyAccord(ctx, bilateral, accord.Suspend, "a review of our handling"); err != nil {
		return err
	}
	if err := d.phase(ctx, bilateral, accords.Suspended, "UTO", "RUR"); err != nil {
		return err
	}
	const address = "203.0.113.88"
	d.Say("Utopia shares a second indicator with Ruritania all the same, and warns the alliance of a hole in the cranes, under the other accord.")
	if err := d.make(ctx, "the second indicator", "UTO", bilateral, "indicator", label.Amber, address, map[string]any{"name": "Crane controller calls elsewhere", "pattern": "[ipv4-addr:value = '" + address + "']",
		"indicator_types": []string{"malicious-activity"}}); err != nil {
		return err
	}
	if err := d.share(ctx, "the second indicator"); err != nil {
		return err
	}
	if err := d.make(ctx, "the warning", "UTO", allied, "vulnerability", label.Green, "Cranes take orders from anybody", map[string]any{"name": "Cranes take orders from anybody"}); err != nil {
		return err
	}
	return d.look(ctx, Sight{"RUR", "the warning", true, ""}) // it was handed in later: whatever would go out before has gone
}

func resume(ctx context.Context, d *Day) error {
	d.Say("Ruritania resumes the accord. What was shared meanwhile follows by itself.")
	if _, err := d.Find("RUR").API.NotifyAccord(ctx, bilateral, accord.Resume, ""); err != nil {
		return err
	}
	return d.phase(ctx, bilateral, accords.Active, "UTO", "RUR")
}

func (d *Day) phase(ctx context.Context, name string, phase accords.Phase, codes ...string) error {
	for _, code := range codes {
		if err := await(ctx, fmt.Sprintf("accord %s is %s at %s", name, phase, code), func() (bool, error) {
			v, err := d.Find(code).API.Accord(ctx, name, 0, "")
			return v.Phase == phase, err
		}); err != nil {
			return err
		}
	}
	return nil
}

var advisories = []string{"the first advisory", "the second advisory"}

func part(ctx context.Context, d *Day) error {
	d.Say("An anchor takes the cable: no line of Ruritania carries anything. Sylvania publishes two advisories for the alliance: TLP:GREEN.")
	d.Cut("RUR", true)
	for i, name := range advisories {
		title := []string{"Lock the crane cabins", "Watch the tide gauges"}[i]
		if err := d.make(ctx, name, "SYL", allied, "campaign", label.Green, title, map[string]any{"name": title}); err != nil {
			return err
		}
	}
	return nil
}

func heal(ctx context.Context, d *Day) error {
	d.Say("The cable is mended. Ruritania's node asks for what it does not have, from where it stopped.")
	d.Cut("RUR", false)
	for _, name := range advisories {
		t := d.things[name]
		stored := 0
		if err := await(ctx, "Ruritania receipts "+name, func() (bool, error) {
			given, err := d.Find("SYL").API.Given(ctx, t.ID)
			stored = 0
			for _, g := range given {
				for _, act := range g.Acts {
					if act.Did == peer.DidStore && strings.Contains(act.Party, "RUR") {
						stored++
					}
				}
			}
			return stored > 0, err
		}); err != nil {
			return err
		}
		if stored != 1 {
			d.fail("%s was stored %d times in Ruritania", name, stored)
		}
	}
	d.Say("It has each record once: its receipts say so.")
	return nil
}

// list writes nations as a sentence does.
func list(codes []string) string {
	if len(codes) < 2 {
		return strings.Join(codes, "")
	}
	return strings.Join(codes[:len(codes)-1], ", ") + " and " + codes[len(codes)-1]
}
