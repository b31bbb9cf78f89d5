package label

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/shareddata"
)

// The ids are written here once more, from the standards, so that a slip in the table cannot pass.
var idsBySpec = map[string]TLP{
	"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Clear,
	"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Green,
	"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Amber,
	"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": AmberStrict,
	"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Red,
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Clear,
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Green,
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Amber,
	"marking-definition--826578e1-40ad-459f-bc73-ede076f81f37": AmberStrict,
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Red,
}

func TestByID(t *testing.T) {
	if len(wellKnowns) != len(idsBySpec) {
		t.Errorf("the table has %d ids", len(wellKnowns))
	}
	for id, tlp := range idsBySpec {
		if l, ok := ByID(id); !ok || l != For(tlp) {
			t.Errorf("%s is %s, %v; want %s", id, l.TLP, ok, tlp)
		}
	}
	if l, ok := ByID("marking-definition--00000000-0000-4000-8000-000000000000"); ok || l.TLP != Red || !l.Audience.IsAll() {
		t.Errorf("an unknown id has the label %+v, %v", l, ok)
	}
}

func TestToTLPMarking(t *testing.T) {
	if TLPMarkingID(Green, false) != "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb" || TLPMarkingID(Green, true) != "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da" {
		t.Error("the two families of ids are confused")
	}
	for tlp := Red; tlp <= Clear; tlp++ {
		for legacy, raw := range map[bool][]byte{false: ToTLPMarking(tlp), true: ToLegacyTLPMarking(tlp)} {
			if !strings.Contains(string(raw), TLPMarkingID(tlp, legacy)) || !json.Valid(raw) {
				t.Errorf("%s has not the id of its family", raw)
			}
		}
		for _, raw := range [][]byte{ToTLPMarking(tlp), ToLegacyTLPMarking(tlp)} {
			m, err := ReadMarking(raw)
			if err != nil || m.Label != For(tlp) || !m.StatesTLP || idsBySpec[m.ID] != tlp {
				t.Errorf("%s\nis read as %+v, %v", raw, m, err)
			}
		}
		if !strings.Contains(string(ToTLPMarking(tlp)), `"tlp_2_0":"`+strings.ToLower(strings.TrimPrefix(tlp.String(), "TLP:"))+`"`) {
			t.Errorf("%s", ToTLPMarking(tlp))
		}
	}
}

func TestParseTLP(t *testing.T) {
	for word, want := range map[string]TLP{
		"TLP:RED": Red, "red": Red, "TLP:AMBER+STRICT": AmberStrict, "tlp:amber+strict": AmberStrict, "AMBER-STRICT": AmberStrict, " amber strict ": AmberStrict,
		"TLP:AMBER": Amber, "Tlp:Amber": Amber, "green": Green, "WHITE": Clear, "tlp:white": Clear, "TLP: CLEAR": Clear,
	} {
		if got, err := ParseTLP(word); err != nil || got != want {
			t.Errorf("%q is %s, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "TLP:", "TLP:PURPLE", "PAP:RED", "unclear", "tlp:ex:chr", strings.Repeat("x", 1<<20), "\xff"} {
		if got, err := ParseTLP(word); !errors.Is(err, ErrUnintelligible) || got != Red || len(err.Error()) > 300 {
			t.Errorf("%.20q is %s, %v", word, got, err)
		}
	}
	for word, want := range map[string]PAP{"PAP:RED": PAPRed, "amber": PAPAmber, "pap:green": PAPGreen, "WHITE": PAPClear, "CLEAR": PAPClear} {
		if got, err := ParsePAP(word); err != nil || got != want {
			t.Errorf("%q is %s, %v", word, got, err)
		}
	}
	if got, err := ParsePAP("TLP:RED"); err == nil || got != PAPAsk {
		t.Errorf("TLP:RED is %s", got)
	}
	if m, err := ParseTag("tlp:ex:chr"); err != nil || m.Label.Attribution != MustNot || m.StatesTLP || m.Label.TLP != Clear {
		t.Errorf("tlp:ex:chr is %+v, %v", m, err)
	}
	if m, err := ParseTag("tlp:amber-strict"); err != nil || m.Label != For(AmberStrict) || !m.StatesTLP {
		t.Errorf("tlp:amber-strict is %+v, %v", m, err)
	}
	for _, tag := range []string{"red", "misp-galaxy:x", "tlp:unclear", "pap:"} {
		if m, err := ParseTag(tag); !errors.Is(err, ErrUnintelligible) || m != (Marking{}) {
			t.Errorf("%s is %+v, %v", tag, m, err)
		}
	}
}

const anID = "marking-definition--11111111-1111-4111-8111-111111111111"

func TestReadMarking(t *testing.T) {
	legacyGreen := "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
	clear := "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
	openCTI := "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37"
	ext := func(id, body string) string { return fmt.Sprintf(`"extensions":{%q:%s}`, id, body) }
	for _, c := range []struct {
		id, members string
		model       string // of what is read
		kind        error  // of what is refused
		check       func(l Label) bool
	}{
		{legacyGreen, `"definition_type":"tlp","definition":{"tlp":"green"}`, "tlp", nil, func(l Label) bool { return l == For(Green) }},
		{legacyGreen, `"name":"TLP:GREEN","definition_type":"tlp","definition":{"tlp":"green"}`, "tlp", nil, func(l Label) bool { return l == For(Green) }},
		{legacyGreen, `"definition_type":"tlp","definition":{"tlp":"red"}`, "", ErrContradictory, nil},
		{legacyGreen, `"definition_type":"statement","definition":{"statement":"Copyright"}`, "", ErrContradictory, nil},
		{legacyGreen, `"name":"TLP:GREEN"`, "", ErrContradictory, nil},
		{legacyGreen, `"name":"TLP:RED","definition_type":"tlp","definition":{"tlp":"green"}`, "", ErrContradictory, nil},
		{legacyGreen, `"definition_type":"something","definition":{"tlp":"green"}`, "", ErrUnintelligible, nil},
		{legacyGreen, `"definition_type":"tlp","definition":{"tlp":"green"},"x_opencti_definition_type":"PAP","x_opencti_definition":"PAP:RED"`, "", ErrContradictory, nil},
		{anID, `"definition_type":"tlp","definition":{"tlp":"green"}`, "", ErrContradictory, nil},
		{anID, `"definition_type":"tlp","definition":{"tlp":"purple"}`, "", ErrUnintelligible, nil},
		{anID, `"definition_type":"tlp","definition":{"tlp":4}`, "", ErrInvalid, nil},
		{anID, `"definition_type":"tlp"`, "", ErrInvalid, nil},
		{anID, `"definition":{"tlp":"red"}`, "", ErrInvalid, nil},
		{clear, ext(tlp2Extension, `{"extension_type":"property-extension","tlp_2_0":"clear"}`), "tlp", nil, func(l Label) bool { return l == For(Clear) }},
		{clear, ext(tlp2Extension, `{"extension_type":"property-extension","tlp_2_0":"red"}`), "", ErrContradictory, nil},
		{clear, ext(tlp2Extension, `{"tlp_2_0":"purple"}`), "", ErrUnintelligible, nil},
		{clear, ext(tlp2Extension, `{}`), "", ErrInvalid, nil},
		{clear, ext("extension-definition--9ef47f81-1443-4632-8497-8b2878f8ac21", `{}`), "", ErrUnintelligible, nil},
		{clear, `"extensions":[]`, "", ErrInvalid, nil},
		{openCTI, `"definition_type":"statement","definition":{"statement":"custom"},"x_opencti_definition_type":"TLP","x_opencti_definition":"TLP:AMBER+STRICT"`, "tlp", nil,
			func(l Label) bool { return l == For(AmberStrict) }},
		{openCTI, `"definition_type":"tlp","definition":{"tlp":"amber+strict"},` + ext(openCTIExtension, `{"type":"Marking-Definition"}`), "tlp", nil,
			func(l Label) bool { return l == For(AmberStrict) }},
		{openCTI, `"definition_type":"statement","definition":{"statement":"custom"},"x_opencti_definition_type":"TLP","x_opencti_definition":"TLP:RED"`, "", ErrContradictory, nil},
		{anID, `"definition_type":"statement","definition":{"statement":"Copyright 2026, somebody. TLP:RED or not."}`, "statement", nil, func(l Label) bool { return l == Bottom() }},
		{anID, `"definition_type":"statement","definition":{"statement":"TLP:RED"}`, "", ErrContradictory, nil},
		{anID, `"definition_type":"statement","definition":{"statement":"PAP:AMBER"}`, "pap", nil, func(l Label) bool { return l == papLabel(PAPAmber) }},
		{anID, `"definition_type":"statement","definition":{}`, "", ErrInvalid, nil},
		{anID, `"definition_type":"pap","definition":{"pap":"red"},"name":"PAP:RED"`, "pap", nil, func(l Label) bool { return l == papLabel(PAPRed) }},
		{anID, `"definition_type":"pap","definition":{"pap":"red"},"name":"PAP:GREEN"`, "", ErrContradictory, nil},
		{anID, `"name":"PAP:GREEN","definition_type":"statement","definition":{"statement":"x"}`, "pap", nil, func(l Label) bool { return l == papLabel(PAPGreen) }},
		{anID, `"name":"TLP:EX:CHR","definition_type":"statement","definition":{"statement":"Chatham House Rule"}`, "tlp", nil,
			func(l Label) bool { return l.Attribution == MustNot && l.TLP == Clear }},
		{anID, `"x_opencti_definition_type":"statement","x_opencti_definition":"x"`, "statement", nil, func(l Label) bool { return l == Bottom() }},
		{anID, `"x_opencti_definition_type":"colour","x_opencti_definition":"x"`, "", ErrUnintelligible, nil},
		{anID, `"x_opencti_definition":"TLP:RED"`, "", ErrInvalid, nil},
		{anID, `"name":1`, "", ErrInvalid, nil},
		{anID, `"name":"a name"`, "", ErrUnintelligible, nil},
		{"indicator--11111111-1111-4111-8111-111111111111", `"name":"x"`, "", ErrInvalid, nil},
	} {
		raw := fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z",%s}`, c.id, c.members)
		m, err := ReadMarking([]byte(raw))
		if c.kind != nil {
			var own *Error
			if !errors.Is(err, c.kind) || !errors.As(err, &own) || own.Code == "" || m != (Marking{}) {
				t.Errorf("%s\nis %+v, %v; want %v", raw, m, err, c.kind)
			}
			continue
		}
		if err != nil || m.Model != c.model || !c.check(m.Label) || m.ID != c.id || m.StatesTLP != (m.Model == "tlp" && idsBySpec[c.id] == m.Label.TLP && m.Label.Attribution == May) {
			t.Errorf("%s\nis %+v, %v", raw, m, err)
		}
	}
	for _, raw := range []string{``, `null`, `[]`, `{"type":"indicator"}`, `{"type":"marking-definition","type":"x"}`, strings.Repeat("[", 1<<20), strings.Repeat(" ", 1<<20+1), "{\"\xff\":1}"} {
		if _, err := ReadMarking([]byte(raw)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.40q: %v", raw, err)
		}
	}
}

func readIEP(t *testing.T, policy string) Marking {
	t.Helper()
	m, err := ReadMarking([]byte(`{"type":"marking-definition","id":"` + anID + `","definition_type":"iep","definition":` + policy + `}`))
	if err != nil || m.Model != "iep" {
		t.Fatalf("%s: %+v, %v", policy, m, err)
	}
	same, err := ReadMarking([]byte(`{"type":"marking-definition","id":"` + anID + `","extensions":{"extension-definition--22222222-2222-4222-8222-222222222222":` +
		strings.Replace(policy, `{`, `{"extension_type":"property-extension","iep_version":"2.0",`, 1) + `}}`))
	if err == nil && same.Label != m.Label {
		t.Errorf("as an extension %s is another label: %+v", policy, same)
	}
	return m
}

func TestIEP(t *testing.T) {
	m := readIEP(t, `{"id":"x","name":"n","description":null,"iep_version":"2.0","start_date":"2026-01-01T00:00:00Z","end_date":"2027-01-01T00:00:00Z",
		"encrypt_in_transit":"must","permitted_actions":"externally-visible-indirect-actions","affected_party_notifications":"must-not","tlp":"amber",
		"attribution":"must-not","unmodified_resale":"must-not","external_reference":"https://example.org"}`)
	want := For(Amber)
	want.NotBefore, want.NotAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want.PAP, want.Attribution = PAPAmber, MustNot
	want.Caveat, _ = NewSet(CaveatEncrypt, CaveatNoNotification, CaveatNoResale)
	if !m.StatesTLP || m.Label != want {
		t.Errorf("%+v\nwant %+v", m.Label, want)
	}
	if m := readIEP(t, `{"iep_version":"2.0","end_date":null,"encrypt_in_transit":"may","affected_party_notifications":"may","attribution":"may","unmodified_resale":"may"}`); m.Label != Bottom() || m.StatesTLP {
		t.Errorf("a policy that frees everything restricts: %+v", m)
	}
	for actions, pap := range map[string]PAP{"none": PAPAsk, "contact-for-instruction": PAPAsk, "internally-visible-actions": PAPRed,
		"externally-visible-indirect-actions": PAPAmber, "externally-visible-direct-actions": PAPGreen, "anything": PAPAsk} {
		if m := readIEP(t, `{"permitted_actions":"`+actions+`"}`); m.Label != papLabel(pap) {
			t.Errorf("%s is %s", actions, m.Label.PAP)
		}
	}
	for member, top := range map[string]func(l Label) bool{
		`"start_date":"soon"`:                   func(l Label) bool { return l.NotBefore.Equal(Top().NotBefore) },
		`"end_date":12`:                         func(l Label) bool { return l.NotAfter.Equal(Top().NotAfter) },
		`"encrypt_in_transit":"maybe"`:          func(l Label) bool { return l.Caveat.IsAll() },
		`"affected_party_notifications":null`:   func(l Label) bool { return l.Caveat.IsAll() },
		`"unmodified_resale":[]`:                func(l Label) bool { return l.Caveat.IsAll() },
		`"attribution":"sometimes"`:             func(l Label) bool { return l.Attribution == Withhold },
		`"tlp":"purple"`:                        func(l Label) bool { return l.TLP == Red },
		`"iep_version":"3.0"`:                   func(l Label) bool { return l.TLP == Red && l.Audience.IsEmpty() },
		`"x_new":"free for all"`:                func(l Label) bool { return l.TLP == Red && l.Audience.IsEmpty() && l.Caveat.Has("iep:x_new") },
		`"` + strings.Repeat("x", 300) + `":""`: func(l Label) bool { return l.Audience.IsEmpty() && l.Caveat.IsAll() },
	} {
		if m := readIEP(t, `{`+member+`}`); !top(m.Label) {
			t.Errorf("%s is %+v", member, m.Label)
		}
	}
}

const acsAIS = `{"extension_type":"property-extension","identifier":"isa:guide.19001.ACS3-00000000-0000-4000-8000-000000000000",
	"create_date_time":"2026-01-01T00:00:00Z","responsible_entity_custodian":"USA.DHS.US-CERT","responsible_entity_originator":"USA.DHS.US-CERT",
	"authority_reference":["urn:isa:authority:misa"],"policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny",
	"access_privilege":[{"privilege_action":"CISAUSES","rule_effect":"permit","privilege_scope":{"permitted_nationalities":["ALL"],"permitted_organizations":["ALL"],"shareability":["ALL"],"entity":["ALL"]}}],
	"further_sharing":[{"sharing_scope":["FOREIGNGOV","SECTOR","USA.USG"],"rule_effect":"permit"}],
	"control_set":{"classification":"U","formal_determination":["AIS","FOUO","INFORMATION-DIRECTLY-RELATED-TO-CYBERSECURITY-THREAT"],"caveat":["CISAPROPRIETARY"]}}`

func readACS(t *testing.T, acs string) Label {
	t.Helper()
	m, err := ReadMarking([]byte(`{"type":"marking-definition","id":"` + anID + `","extensions":{"` + acsExtension + `":` + acs + `}}`))
	if err != nil || m.Model != "acs" || m.StatesTLP {
		t.Fatalf("%s: %+v, %v", acs, m, err)
	}
	return m.Label
}

func TestACS(t *testing.T) {
	want := For(AmberStrict)
	want.Purpose, want.Onward, want.Attribution = NetDefence|IncidentResponse, OnwardConsent, MustNot
	want.Authority, _ = NewSet("urn:isa:authority:misa")
	want.Caveat, _ = NewSet(CaveatOfficialUse, CaveatProprietary, CaveatNoNotification)
	if got := readACS(t, acsAIS); got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	free := readACS(t, `{"policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit","control_set":{"classification":"U","formal_determination":"PUBREL"}}`)
	if free != Bottom() {
		t.Errorf("a marking that permits everything restricts: %+v", free)
	}
	empty := readACS(t, `{}`)
	if empty.Purpose != 0 || empty.Onward != OnwardNone || empty.TLP != AmberStrict || empty.Class != Mixed() || empty.Attribution != MustNot {
		t.Errorf("what is not permitted must be denied: %+v", empty)
	}
	deny := readACS(t, `{"policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit","control_set":{"classification":"U"},
		"access_privilege":[{"privilege_action":"IDSRC","rule_effect":"deny"},{"privilege_action":"TENOT","rule_effect":"deny"},
			{"privilege_action":"IDSRC","rule_effect":"permit","privilege_scope":{"entity":["ALL"]}},
			{"privilege_action":"TENOT","rule_effect":"permit","privilege_scope":{"entity":["ALL"]}}]}`)
	if deny.Attribution != MustNot || !deny.Caveat.Has(CaveatNoNotification) || deny.Purpose != EveryPurpose || deny.TLP != Clear {
		t.Errorf("a denial must stand: %+v", deny)
	}
	for sharing, onward := range map[string]Onward{
		`[{"sharing_scope":["SECTOR"],"rule_effect":"deny"}]`:                                                        OnwardNone,
		`[{"sharing_scope":["SECTOR"],"rule_effect":"permit"}]`:                                                      OnwardFree,
		`[{"sharing_scope":["SECTOR"],"rule_effect":"permit"},{"sharing_scope":["USA.USG"],"rule_effect":"deny"}]`:   OnwardConsent,
		`[{"sharing_scope":["ALL"],"rule_effect":"permit"},{"sharing_scope":["FOREIGNGOV"],"rule_effect":"forbid"}]`: OnwardConsent,
	} {
		l := readACS(t, `{"policy_reference":"urn:isa:policy:acs:ns:v3.0?sharedefault=permit&privdefault=permit","control_set":{"classification":"U"},"further_sharing":`+sharing+`}`)
		if l.Onward != onward || (l.TLP == Clear) != (onward == OnwardFree) {
			t.Errorf("%s: %s, %s", sharing, l.Onward, l.TLP)
		}
	}
	nobody := func(l Label) bool { return l.Audience.IsEmpty() }
	for _, c := range []struct {
		old, new string
		check    func(l Label) bool
	}{
		{`"permitted_nationalities":["ALL"]`, `"permitted_nationalities":["USA","MEX"]`, func(l Label) bool { return strings.Join(l.Audience.List(), " ") == "nation:MEX nation:USA" }},
		{`"permitted_nationalities":["ALL"]`, `"permitted_nationalities":["somewhere"]`, nobody},
		{`"permitted_nationalities":["ALL"]`, `"permitted_nationalities":7`, nobody},
		{`"permitted_organizations":["ALL"]`, `"permitted_organizations":["USA.DHS"]`, nobody},
		{`"shareability":["ALL"]`, `"shareability":["FOREIGNGOV"]`, nobody},
		{`"entity":["ALL"]`, `"entity":["MIL"]`, nobody},
		{`"privilege_scope":{`, `"privilege_scope":[],"x":{`, nobody},
		{`"privilege_scope":{`, `"privilege_scope":{},"x":{`, nobody},
		{`"privilege_scope":{`, `"privilege_scope":{"permitted_planets":["ALL"],`, nobody},
		{`"classification":"U"`, `"classification":"U","permitted_nationalities":["MEX"],"shareability":["ALL"]`, func(l Label) bool { return strings.Join(l.Audience.List(), " ") == "nation:MEX" }},
		{`"classification":"U"`, `"classification":"U","entity":["GOV"]`, nobody},
		{`"CISAUSES"`, `"NEWUSE"`, func(l Label) bool { return l.Purpose == 0 }},
		{`"access_privilege":[`, `"access_privilege":[{"privilege_action":"NEWUSE","rule_effect":"deny"},`, func(l Label) bool { return l.Purpose == 0 }},
		{`"access_privilege":[`, `"access_privilege":[{"privilege_action":"NETDEF","rule_effect":"deny"},`, func(l Label) bool { return l.Purpose == 0 }},
		{`"access_privilege":[`, `"access_privilege":[{"privilege_action":"DSPLY","rule_effect":"deny"},`, nobody},
		{`"formal_determination":["AIS",`, `"formal_determination":[`, func(l Label) bool { return l.Attribution == MustNot }},
		{`"access_privilege":[`, `"access_privilege":[{"privilege_action":"IDSRC","rule_effect":"permit","privilege_scope":{"entity":["ALL"]}},`, func(l Label) bool { return l.Attribution == MustNot }},
		{`"access_privilege":[`, `"access_privilege":[{"privilege_action":"TENOT","rule_effect":"permit","privilege_scope":{"entity":["ALL"]}},`, func(l Label) bool { return !l.Caveat.Has(CaveatNoNotification) && l.Audience.IsAll() }},
		{`["AIS",`, `["NF","AIS",`, func(l Label) bool { return strings.Join(l.Audience.List(), " ") == "nation:USA" }},
		{`["AIS",`, `["REL-TO-SOMEBODY","AIS",`, nobody},
		{`["AIS",`, `["OC","AIS",`, func(l Label) bool { return l.Onward == OnwardConsent }},
		{`"classification":"U"`, `"classification":"TS"`, func(l Label) bool { return l.Class.String() == "USA:TS" }},
		{`"classification":"U"`, `"classification":"ULTRA"`, func(l Label) bool { return l.Class == Mixed() }},
		{`"classification":"U"`, `"classification":"U","sci_controls":["SI"]`, func(l Label) bool { return l.Class == Mixed() }},
		{`"classification":"U"`, `"classification":"U","x":1`, nobody},
		{`"classification":"U"`, `"classification":"U","sensitivity":["LES"]`, func(l Label) bool { return l.Caveat.Has(CaveatLawEnforcement) && l.Audience.IsAll() }},
		{`["urn:isa:authority:misa"]`, `[1]`, func(l Label) bool { return l.Authority.IsAll() }},
		{`"further_sharing":[`, `"further_sharing":"all","x":[`, func(l Label) bool { return l.Onward == OnwardNone && l.Audience.IsEmpty() }},
		{`["FOREIGNGOV","SECTOR","USA.USG"]`, `["ALL"]`, func(l Label) bool { return l.Onward == OnwardFree && l.TLP == Clear }},
		{`"control_set"`, `"resource_disposition":{"disposition_date":"2027-01-01T00:00:00Z"},"control_set"`, func(l Label) bool { return l.NotAfter.Year() == 2027 && l.Purge == PurgeBoth }},
		{`"control_set"`, `"resource_disposition":{},"control_set"`, func(l Label) bool { return l.NotAfter.Equal(Top().NotAfter) }},
		{`"control_set"`, `"y_new":{},"control_set"`, func(l Label) bool { return l.Audience.IsEmpty() && l.TLP == Red }},
		{`"control_set"`, `"declassification":{},"control_set"`, func(l Label) bool { return l == want }},
	} {
		changed := strings.Replace(acsAIS, c.old, c.new, 1)
		if changed == acsAIS {
			t.Fatalf("%s is not in the example", c.old)
		}
		if got := readACS(t, changed); !c.check(got) {
			t.Errorf("%s\nis %+v", c.new, got)
		}
	}
}

// drawJSON draws values that look like a policy.
func drawJSON(t *rapid.T, depth int, words []string) any {
	switch n := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case n == 0 && depth > 0:
		o := map[string]any{}
		for range rapid.IntRange(0, 6).Draw(t, "members") {
			o[rapid.SampledFrom(words).Draw(t, "name")] = drawJSON(t, depth-1, words)
		}
		return o
	case n == 1 && depth > 0:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			list = append(list, drawJSON(t, depth-1, words))
		}
		return list
	case n == 2:
		return rapid.Float64Range(-3, 3).Draw(t, "number")
	}
	return rapid.SampledFrom(words).Draw(t, "word")
}

// TestImportsOnlyRestrict: whatever a policy says, joining it never makes a label less strict, and adding a member that is not known never does.
func TestImportsOnlyRestrict(t *testing.T) {
	words := []string{"iep_version", "2.0", "tlp", "red", "white", "attribution", "must", "may", "permitted_actions", "none", "start_date", "end_date",
		"2026-01-01T00:00:00Z", "encrypt_in_transit", "policy_reference", "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit",
		"access_privilege", "privilege_action", "NETDEF", "IDSRC", "rule_effect", "permit", "deny", "privilege_scope", "ALL", "permitted_nationalities", "MEX",
		"further_sharing", "sharing_scope", "control_set", "classification", "U", "S", "formal_determination", "NF", "AIS", "caveat", "FISA",
		"resource_disposition", "disposition_date", "declassification", "x_unknown"}
	imports := map[string]func(object) Marking{"iep": fromIEP, "acs": fromACS}
	rapid.Check(t, func(t *rapid.T) {
		x := drawLabel(t, "x")
		policy := object{}
		for range rapid.IntRange(0, 8).Draw(t, "members") {
			policy[rapid.SampledFrom(words).Draw(t, "name")] = drawJSON(t, 4, words)
		}
		for name, from := range imports {
			l := from(policy).Label
			if !LessEqual(x, Join(x, l)) || l != l.normal() {
				t.Fatalf("%s of %v loosens: %+v", name, policy, l)
			}
			if b, err := l.MarshalJSON(); err != nil || new(Label).UnmarshalJSON(b) != nil {
				t.Fatalf("%s of %v cannot be written: %v", name, policy, err)
			}
			policy["y_unknown"] = "x"
			if more := from(policy).Label; !LessEqual(l, more) || !more.Audience.IsEmpty() || more.TLP != Red {
				t.Fatalf("%s of %v with an unknown member admits somebody: %+v", name, policy, more)
			}
			delete(policy, "y_unknown")
		}
	})
}

func TestOf(t *testing.T) {
	tlp := func(t TLP) Marking { m, _ := MarkingByID(TLPMarkingID(t, false)); return m }
	old := func(t TLP) Marking { m, _ := MarkingByID(TLPMarkingID(t, true)); return m }
	statement := Marking{Model: "statement", Label: Bottom()}
	pap := Marking{Model: "pap", Label: papLabel(PAPRed)}
	for name, c := range map[string]struct {
		object, granular []Marking
		want             Label
		stated           bool
		err              error
	}{
		"nothing":              {nil, nil, Bottom(), false, nil},
		"a statement":          {[]Marking{statement}, nil, Bottom(), false, nil},
		"one":                  {[]Marking{tlp(Green), statement}, nil, For(Green), true, nil},
		"with a pap":           {[]Marking{pap, tlp(Green)}, nil, Join(For(Green), papLabel(PAPRed)), true, nil},
		"both forms of one":    {[]Marking{tlp(Green), old(Green)}, nil, For(Green), true, nil},
		"two":                  {[]Marking{tlp(Green), tlp(Red)}, nil, Label{}, true, ErrContradictory},
		"two in two forms":     {[]Marking{old(Clear), tlp(Green)}, nil, Label{}, true, ErrContradictory},
		"stricter part":        {[]Marking{tlp(Green)}, []Marking{tlp(Red)}, For(Red), true, nil},
		"less strict part":     {[]Marking{tlp(Red)}, []Marking{tlp(Clear)}, For(Red), true, nil},
		"only a part is known": {nil, []Marking{tlp(Amber), tlp(Green)}, For(Amber), false, nil},
	} {
		got, stated, err := Of(c.object, c.granular)
		if got != c.want || stated != c.stated || !errors.Is(err, c.err) {
			t.Errorf("%s: %+v, %v, %v", name, got, stated, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(bottomJSON))
	for _, l := range []Label{{}, Top(), For(Green)} {
		b, _ := json.Marshal(l)
		f.Add(b)
	}
	f.Add([]byte(strings.Replace(bottomJSON, `"aud":"all"`, `"aud":["nation:KWT","org:MEX/mx"]`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l, again Label
		if err := l.UnmarshalJSON(b); err != nil {
			var own *Error
			if !errors.As(err, &own) || l != (Label{}) {
				t.Fatalf("%v, %+v", err, l)
			}
			return
		}
		canonical, err := l.MarshalJSON()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if err := again.UnmarshalJSON(canonical); err != nil || !Equal(l, again) {
			t.Fatalf("%s: %v", canonical, err)
		}
	})
}

func FuzzFromMarking(f *testing.F) {
	f.Add(ToTLPMarking(Red))
	f.Add(ToLegacyTLPMarking(AmberStrict))
	f.Add([]byte(`{"type":"marking-definition","id":"` + anID + `","extensions":{"` + acsExtension + `":` + acsAIS + `}}`))
	f.Add([]byte(`{"type":"marking-definition","id":"` + anID + `","definition_type":"iep","definition":{"iep_version":"2.0","tlp":"red"}}`))
	f.Add([]byte(`{"type":"marking-definition","id":"` + anID + `","definition_type":"statement","definition":{"statement":"x"}}`))
	for _, raw := range shareddata.Seeds("input", "stix", "conformance", "validator-cases.json") {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadMarking(b)
		if err != nil {
			var own *Error
			if !errors.As(err, &own) || m != (Marking{}) {
				t.Fatalf("%v, %+v", err, m)
			}
			return
		}
		if _, err := m.Label.MarshalJSON(); err != nil || m.Label != m.Label.normal() {
			t.Fatalf("the label cannot be kept: %v", err)
		}
		if l, known := ByID(m.ID); known && (l != m.Label || !m.StatesTLP) {
			t.Fatalf("%s and its content differ", m.ID)
		}
	})
}

var joined Label

func BenchmarkJoin(b *testing.B) {
	audience, _ := NewAudience("nation:CAN", "nation:KWT", "nation:MEX", "org:FRE/fr.cert")
	x, y := For(Amber).To(audience), For(Green)
	y.Caveat, _ = NewSet(CaveatPII)
	y.Audience, _ = NewAudience("nation:KWT", "nation:MEX")
	for name, pair := range map[string][2]Label{"merging": {x, y}, "alike": {For(Amber), For(Green)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				joined = Join(pair[0], pair[1])
			}
		})
	}
}
