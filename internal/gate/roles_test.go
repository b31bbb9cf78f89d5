package gate

import (
	"strings"
	"testing"
)

// TestCan is the whole capability table, written as people read it: R read, W write, c collections, u users, t tokens, q see quarantine,
// Q decide on it, P purge, b backup, a audit, C configuration, f see feeds, F run them,
// g see the register, G keep it, l see alerts, L handle them, N send notifications, D loosen labels, o see accords, O draft them, S sign them, X suspend them,
// h share records, e sign releases, p let partner nations in, k rule the keys, v vote, s settle proofs,
// d see sensors, E enrol and revoke them, T take what to look for, B fetch what is blocked.
func TestCan(t *testing.T) {
	letters := map[string]Action{"R": ObjectRead, "W": ObjectWrite, "c": CollectionManage, "u": UserManage, "t": TokenManage, "q": QuarantineRead,
		"Q": QuarantineDecide, "P": Purge, "b": Backup, "a": AuditRead, "C": ConfigRead, "f": FeedRead, "F": FeedRun,
		"g": RegisterRead, "G": RegisterWrite, "l": AlertRead, "L": AlertWrite, "N": NotifySend, "D": Downgrade,
		"o": AccordRead, "O": AccordWrite, "S": AccordSign, "X": AccordSuspend, "h": Share, "e": ReleaseSign, "p": PeerManage, "k": KeyManage, "v": Vote, "s": ProofSettle,
		"d": SensorRead, "E": SensorManage, "T": Detect, "B": BlockRead}
	table := map[string]string{RoleAdmin: "RWcutbCfFgGlopksdEB", RoleAnalyst: "RWqfFglLoOhdB", RoleReader: "R", RolePublisher: "W", RoleAuditor: "RaCfglodB", RoleOfficer: "RqQPfglNDoOXhsdB",
		RoleRegistrar: "RgG", RoleSignatory: "RoSXv", RoleReleaser: "Roe", RoleSensor: "T", RoleEnforcer: "B", "nobody": "", "": ""}
	g := smallWorld(false)
	for role, can := range table {
		own := Viewer{Nation: "UTO", Org: "ut.cert", Realm: "operational", Roles: []string{role}}
		other := Viewer{Nation: "UTO", Org: "ut.water", Realm: "operational", Roles: []string{role}}
		elsewhere := own
		elsewhere.Realm = "exercise:x"
		for letter, action := range letters {
			want := strings.Contains(can, letter)
			if got := g.Can(own, action); got != want {
				t.Errorf("%s of the node's organisation can %s: %v", role, letter, got)
			}
			if got := g.Can(other, action); got != (want && strings.Contains("RWT", letter)) {
				t.Errorf("%s of another organisation can %s: %v", role, letter, got)
			}
			if g.Can(elsewhere, action) {
				t.Errorf("%s of another realm can %s", role, letter)
			}
		}
		if IsRole(role) != (can != "") {
			t.Errorf("%q is a role: %v", role, IsRole(role))
		}
	}
	if len(Roles())+2 != len(table) {
		t.Errorf("the table does not have every role")
	}
	both := Viewer{Nation: "UTO", Org: "ut.cert", Realm: "operational", Roles: []string{RoleReader, RoleOfficer}}
	if !g.Can(both, ObjectRead|Purge) || g.Can(both, Purge|Backup) || g.Can(both, 0) || g.Can(Viewer{Realm: "operational", Roles: []string{RoleAdmin}}, ObjectRead) {
		t.Error("several actions need every one of them, and somebody")
	}
}

func TestCollection(t *testing.T) {
	g := smallWorld(false)
	viewer := func(nation, org string, roles ...string) Viewer {
		return Viewer{Nation: nation, Org: org, Roles: roles, Realm: "operational"}
	}
	for name, c := range map[string]struct {
		v    Viewer
		acl  ACL
		want Access
	}{
		"open":                      {viewer("UTO", "ut.cert", RoleAnalyst), ACL{}, Access{true, true, true}},
		"a reader only reads":       {viewer("UTO", "ut.cert", RoleReader), ACL{}, Access{true, true, false}},
		"a publisher only writes":   {viewer("UTO", "ut.cert", RolePublisher), ACL{}, Access{true, false, true}},
		"listed":                    {viewer("FRE", "fr.cert", RoleAnalyst), ACL{Read: []string{RoleAnalyst}, Write: []string{RoleAdmin}}, Access{true, true, false}},
		"not listed":                {viewer("FRE", "fr.cert", RoleReader), ACL{Read: []string{RoleAnalyst}, Write: []string{RoleAdmin}}, Access{true, false, false}},
		"listing makes no writer":   {viewer("FRE", "fr.cert", RoleReader), ACL{Write: []string{RoleReader}}, Access{true, true, false}},
		"roles do not lend":         {viewer("FRE", "fr.cert", RoleReader, RolePublisher), ACL{Read: []string{RolePublisher}, Write: []string{RolePublisher}}, Access{true, false, true}},
		"no role":                   {viewer("FRE", "fr.cert"), ACL{}, Access{true, false, false}},
		"of the party":              {viewer("FRE", "fr.cert", RoleReader), ACL{Party: "FRE/fr.cert"}, Access{true, true, false}},
		"of another party":          {viewer("UTO", "ut.cert", RoleAdmin), ACL{Party: "FRE/fr.cert"}, Access{}},
		"nobody":                    {viewer("", "", RoleAdmin), ACL{}, Access{}},
		"from no nation":            {viewer("", "ut.cert", RoleAdmin), ACL{}, Access{}},
		"of another realm":          {Viewer{Nation: "UTO", Org: "ut.cert", Roles: []string{RoleAdmin}, Realm: "exercise:x"}, ACL{}, Access{}},
		"an unknown role is nobody": {viewer("UTO", "ut.cert", "root"), ACL{Read: []string{"root"}}, Access{true, false, false}},
	} {
		if got := g.Collection(c.v, c.acl); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
