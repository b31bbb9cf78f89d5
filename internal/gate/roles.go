package gate

import "slices"

// The roles an account can hold. Every viewer of an organisation reads by the same labels; roles say what it may do.
const (
	RoleAdmin     = "admin"
	RoleAnalyst   = "analyst"
	RoleReader    = "reader"
	RolePublisher = "publisher"
	RoleAuditor   = "auditor"
	RoleOfficer   = "officer"
	RoleRegistrar = "registrar"
	RoleSignatory = "signatory"
	RoleReleaser  = "releaser"
	RoleSensor    = "sensor"
	RoleEnforcer  = "enforcer"
)

// Role is a role and what it is for.
type Role struct{ Name, Meaning string }

// Roles lists every role.
func Roles() []Role {
	return []Role{
		{RoleAdmin, "manages collections, accounts, tokens, keys, partner nations and backups of the node, and reads and writes records"},
		{RoleAnalyst, "reads and writes records and sees what is in quarantine"},
		{RoleReader, "reads records"},
		{RolePublisher, "writes records and follows what became of them, for machines that only deliver"},
		{RoleAuditor, "reads records and the audit trail, and changes nothing"},
		{RoleOfficer, "reads records, decides on what is in quarantine, loosens labels, sends notifications, and purges"},
		{RoleRegistrar, "reads records and keeps the register of constituents and their networks"},
		{RoleSignatory, "reads records and accords, and signs, suspends and terminates accords for the organisation"},
		{RoleReleaser, "reads records, and signs releases to partners where an accord asks for a release officer"},
		{RoleSensor, "takes what to look for and reports what it met, for sensors that were enrolled; reads nothing else"},
		{RoleEnforcer, "fetches what is blocked, and nothing else: for name servers, firewalls and sensors of others"},
	}
}

// IsRole tells whether there is a role of that name.
func IsRole(name string) bool {
	return slices.ContainsFunc(Roles(), func(r Role) bool { return r.Name == name })
}

// Action is something an account may or may not do.
type Action uint64

const (
	ObjectRead Action = 1 << iota
	ObjectWrite
	CollectionManage
	UserManage
	TokenManage
	QuarantineRead
	QuarantineDecide
	Purge
	Backup
	AuditRead
	ConfigRead
	FeedRead
	FeedRun
	RegisterRead
	RegisterWrite
	AlertRead
	AlertWrite
	NotifySend
	Downgrade
	AccordRead
	AccordWrite
	AccordSign
	AccordSuspend
	Share
	ReleaseSign
	PeerManage
	KeyManage
	Vote
	ProofSettle
	SensorRead
	SensorManage
	Detect
	BlockRead
)

// may tells what a role of that name may do; a name that is no role may do nothing. Who manages accounts does not decide on quarantine, does not
// purge and does not read the audit trail of its own acts: those are two other people's duties. Who drafts a notification does not send it, who
// drafts an accord does not sign it, who shares a record does not release it, and who lets a nation in or rules the keys signs no accord and does not vote. What was proved against a nation is settled by who lets nations in, or by an officer.
func may(role string) Action {
	switch role {
	case RoleAdmin:
		return ObjectRead | ObjectWrite | CollectionManage | UserManage | TokenManage | Backup | ConfigRead | FeedRead | FeedRun | RegisterRead | RegisterWrite | AlertRead | AccordRead | PeerManage | KeyManage | ProofSettle | SensorRead | SensorManage | BlockRead
	case RoleAnalyst:
		return ObjectRead | ObjectWrite | QuarantineRead | FeedRead | FeedRun | RegisterRead | AlertRead | AlertWrite | AccordRead | AccordWrite | Share | SensorRead | BlockRead
	case RoleReader:
		return ObjectRead
	case RolePublisher:
		return ObjectWrite
	case RoleAuditor:
		return ObjectRead | AuditRead | ConfigRead | FeedRead | RegisterRead | AlertRead | AccordRead | SensorRead | BlockRead
	case RoleOfficer:
		return ObjectRead | QuarantineRead | QuarantineDecide | Purge | FeedRead | RegisterRead | AlertRead | NotifySend | Downgrade | AccordRead | AccordWrite | AccordSuspend | Share | ProofSettle | SensorRead | BlockRead
	case RoleRegistrar:
		return ObjectRead | RegisterRead | RegisterWrite
	case RoleSignatory:
		return ObjectRead | AccordRead | AccordSign | AccordSuspend | Vote
	case RoleReleaser:
		return ObjectRead | AccordRead | ReleaseSign
	case RoleSensor:
		return Detect
	case RoleEnforcer:
		return BlockRead
	}
	return 0
}

// everywhere are the actions that a role brings whatever organisation the account is of; the others are for the node's own organisation.
const everywhere = ObjectRead | ObjectWrite | Detect

// Can tells whether one of the viewer's roles lets it do this on the node: on its records by any organisation, on the node itself only by the
// node's own.
func (g *Gate) Can(v Viewer, a Action) bool {
	if !g.rules.knows(v) {
		return false
	}
	if a&^everywhere != 0 && v.Party() != (Party{g.rules.Nation, g.rules.Org}) {
		return false
	}
	var can Action
	for _, r := range v.Roles {
		can |= may(r)
	}
	return a != 0 && a&^can == 0
}

// ACL says which roles may use a collection.
type ACL struct {
	Read  []string // roles; empty: every role that reads
	Write []string // roles; empty: every role that writes
	Party string   // "NATION/organisation": only its viewers know the collection; empty: all do
}

// Access is what a viewer may do with a collection. Who does not know it must not learn that it exists.
type Access struct{ Known, Read, Write bool }

// Collection tells what a viewer may do with a collection. A role that may not read or write at all does not by being listed.
func (g *Gate) Collection(v Viewer, acl ACL) Access {
	if !g.rules.knows(v) || acl.Party != "" && acl.Party != v.Party().String() {
		return Access{}
	}
	a := Access{Known: true}
	for _, r := range v.Roles {
		can := may(r)
		a.Read = a.Read || can&ObjectRead != 0 && (len(acl.Read) == 0 || slices.Contains(acl.Read, r))
		a.Write = a.Write || can&ObjectWrite != 0 && (len(acl.Write) == 0 || slices.Contains(acl.Write, r))
	}
	return a
}
