package api

import (
	"net/http"
	"slices"

	"entente/internal/blob"
	"entente/internal/build"
	"entente/internal/exchange"
	"entente/internal/feed"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/store"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// Media types of answers that are not one JSON value.
const (
	linesType  = "application/x-ndjson"
	eventsType = "text/event-stream"
	bytesType  = "application/octet-stream"
	bundleType = "application/stix+json;version=2.1"
	stixType   = "application/stix+json"
	zipType    = "application/zip"
)

// The parameters that several routes have.
var (
	inCollection = Param{Name: "collection", Doc: "The id or alias of a collection."}
	ofVersion    = Param{Name: "version", Doc: "Which versions: all, first, last, or the times in modified. Without any it is the latest.", Kind: Words}
	ofUser       = Param{Name: "user", Doc: "The name of an account."}
	every        = Param{Name: "all", Doc: "Also those that the caller may not use, for who manages them.", Kind: Flag, Default: false}

	paging = []Param{
		{Name: "limit", Doc: "How many items a page has at most.", Kind: Limit, Default: limitNone},
		{Name: "next", Doc: "Where the page starts: the next of the page before it, for the same caller and the same query."},
	}

	filters = []Param{
		inCollection,
		{Name: "type", Doc: "Types of objects, any of them.", Kind: Words},
		{Name: "id", Doc: "Ids of objects, any of them.", Kind: Words},
		{Name: "value", Doc: "A value that the object holds or that its pattern compares with: an address, a domain, a hash.", Kind: Texts},
		{Name: "ref", Doc: "An id that the object names.", Kind: Texts},
		{Name: "name", Doc: "The object's name or an alias, in any case.", Kind: Texts},
		{Name: "external", Doc: "An external reference, as SOURCE:ID.", Kind: Texts},
		{Name: "tlp", Doc: "TLP labels, any of them.", Kind: Words, Enum: []string{"red", "amber+strict", "amber", "green", "clear"}},
		ofVersion,
		{Name: "spec", Doc: "Versions of STIX, any of them.", Kind: Words, Enum: []string{"2.0", "2.1"}},
		{Name: "added_after", Doc: "Only what was added here after this time.", Kind: Time},
	}

	versioned = []Param{inCollection, ofVersion}
)

func with(more ...Param) []Param { return append(append([]Param{}, filters...), more...) }

// routes is everything that can be asked.
var routes = slices.Concat(houseRoutes, findingRoutes, streamRoutes, personRoutes, registerRoutes, alertRoutes, reviewRoutes, labelRoutes, listRoutes, keyRoutes, keyJoinRoutes, peerRoutes, accordRoutes, relayRoutes, bundleRoutes, decisionRoutes, proofRoutes, blockRoutes, sensorRoutes)

// houseRoutes are the node itself, its records, and who may use it.
var houseRoutes = []Route{
	{get, "/me", "Who the caller is here, and what it may do.", 0, nil, gives(Me{}), (*API).me},
	{get, "/version", "Which build runs.", 0, nil, gives(build.Info{}), (*API).version},
	{get, "/openapi.json", "This document.", 0, nil, gives(map[string]any{}), (*API).openAPI},
	{get, "/stats", "What the store knows about itself.", gate.ConfigRead, nil, gives(store.Stats{}), (*API).stats},
	{get, "/config", "The configuration in force, without secrets.", gate.ConfigRead, nil, gives(map[string]any{}), (*API).config},
	{get, "/journal", "Administrative and personal acts: who did what, when and to what.", gate.AuditRead, journalParams, pages[Act](), (*API).journal},
	{get, "/backup", "A consistent copy of everything a restore needs.", gate.Backup, nil, copies(bytesType), (*API).backup},

	{get, "/objects", "Objects that the caller may have, in the order they were added.", gate.ObjectRead,
		with(append([]Param{{Name: "headers", Doc: "Leave the objects themselves out.", Kind: Flag, Default: false}}, paging...)...), pages[Object](), (*API).search},
	{post, "/objects", "Import objects: a bundle, an array, or objects one after another; events of MISP; or Sigma rules, each of which becomes an indicator. The answer is one event per line.", gate.ObjectWrite, []Param{
		inCollection,
		{Name: "label", Doc: "A label that every object gets besides its own; it only ever restricts. For example tlp:amber,pap:green, or a label in JSON."},
		{Name: "default", Doc: "The label of objects that have no TLP of their own."},
		{Name: "via", Doc: "The way the objects came: import, or feed:NAME."},
		{Name: "format", Doc: "What the body is: objects of STIX, events of MISP, or Sigma rules.", Enum: []string{"stix", "misp", "sigma"}, Default: "stix"},
	}, streams(Event{}).upload(bytesType), (*API).importing},
	{get, "/objects/{id}", "One object with its label and origin.", gate.ObjectRead, versioned, gives(Object{}), (*API).object},
	{remove, "/objects/{id}", "Take an object out of a collection.", gate.ObjectWrite, versioned, gives(Removed{}), (*API).removeObject},
	{get, "/objects/{id}/raw", "The exact bytes of one object.", gate.ObjectRead, versioned, copies(stixType), (*API).raw},
	{get, "/objects/{id}/versions", "The versions of one object, without their bodies.", gate.ObjectRead, paging, pages[Object](), (*API).versions},
	{get, "/objects/{id}/why", "What the gate decides on an object for somebody else, and every reason.", gate.ObjectRead, []Param{
		{Name: "nation", Doc: "The nation of who would ask."},
		{Name: "org", Doc: "The organisation of who would ask; the caller's own where none is given."},
		{Name: "person", Doc: "Who would ask."},
		{Name: "role", Doc: "The roles of who would ask; reader where none is given.", Kind: Words},
		{Name: "purpose", Doc: "What for.", Kind: Words},
		langParam,
	}, pages[exchange.Explanation](), (*API).why},
	{get, "/objects/{id}/holders", "Which organisations were given an object.", gate.AuditRead, nil, pages[store.Holding](), (*API).holders},
	{post, "/objects/{id}/purge", "Destroy every version of an object.", gate.Purge,
		[]Param{{Name: "dry_run", Doc: "Count only.", Kind: Flag, Default: false}}, gives(store.PurgeReport{}), (*API).purge},
	{get, "/export", "All objects of a query at once, as a bundle or one per line; or the published events of a collection, in the format of MISP.", gate.ObjectRead,
		with(Param{Name: "format", Doc: "One bundle, one object per line, or one MISP event per line; for events only collection chooses.", Enum: []string{"bundle", "ndjson", "misp"}, Default: "bundle"}), copies(bundleType, linesType), (*API).export},

	{get, "/blobs", "Files that the caller may have, without their content.", gate.ObjectRead, paging, pages[Blob](), (*API).listBlobs},
	{post, "/blobs", "Store a file of any content: the body.", gate.ObjectWrite, []Param{
		{Name: "name", Doc: "The file's name, which is made safe for any file system."},
		{Name: "media_type", Doc: "What its sender says it is."},
		{Name: "label", Doc: "Its label, for example tlp:amber,pap:green, or a label in JSON. Without one it is TLP:RED, for the caller's organisation."},
		{Name: "sample", Doc: "It is malware, whatever it looks like: it leaves only in a ZIP.", Kind: Flag, Default: false},
	}, keeps(AddedBlob{}).upload(bytesType), (*API).addBlob},
	{get, "/blobs/{id}", "What is known of one file.", gate.ObjectRead, nil, gives(Blob{}), (*API).blob},
	{remove, "/blobs/{id}", "Destroy a file of the caller's organisation.", gate.ObjectWrite, nil, ends(), (*API).removeBlob},
	{get, "/blobs/{id}/content", "The bytes of a file to save; a sample, and with zip any file, in a ZIP with the password infected.", gate.ObjectRead,
		[]Param{{Name: "zip", Doc: "In a ZIP, sample or not.", Kind: Flag, Default: false}}, copies(bytesType, zipType), (*API).blobContent},
	{get, "/blobs/{id}/holders", "Which organisations were given a file.", gate.AuditRead, nil, pages[blob.Holding](), (*API).blobHolders},
	{get, "/objects/{id}/blobs", "Files that the caller may have whose SHA-256 an object has: its own, or one that its pattern compares with. At most 100.", gate.ObjectRead, versioned, pages[Blob](), (*API).objectBlobs},
	{post, "/blobs/{id}/purge", "Destroy a file, its key and every trace of both.", gate.Purge, nil, gives(store.PurgeReport{}), (*API).purgeBlob},

	{get, "/collections", "Collections that the caller may use; with all, every one.", 0, []Param{{Name: "root", Doc: "Only those of this API root."}, every},
		pages[exchange.CollectionView](), (*API).collections},
	{post, "/collections", "Make a collection.", gate.CollectionManage, nil, makes(exchange.Collection{}).of(PutCollection{}, "title"), (*API).addCollection},
	{get, "/collections/{name}", "One collection by its id or alias.", 0, nil, gives(exchange.CollectionView{}), (*API).collection},
	{put, "/collections/{name}", "Change a collection.", gate.CollectionManage, nil, gives(exchange.Collection{}).of(PutCollection{}, "title"), (*API).changeCollection},
	{remove, "/collections/{name}", "Remove an empty collection.", gate.CollectionManage, nil, ends(), (*API).removeCollection},
	{get, "/roots", "API roots that the caller may use; with all, every one.", 0, []Param{every}, pages[exchange.Root](), (*API).roots},
	{post, "/roots", "Make an API root.", gate.CollectionManage, nil, makes(exchange.Root{}).of(exchange.Root{}, "path", "title"), (*API).addRoot},

	{get, "/users", "Accounts, by name.", gate.UserManage, paging, pages[identity.User](), (*API).users},
	{post, "/users", "Make an account.", gate.UserManage, nil, makes(identity.User{}).of(AddUser{}, "name", "roles"), (*API).addUser},
	{patch, "/users/{name}", "Change an account's roles, password or state.", gate.UserManage, nil, gives(identity.User{}).of(ChangeUser{}), (*API).changeUser},
	{remove, "/users/{name}", "Remove an account.", gate.UserManage, nil, ends(), (*API).removeUser},
	{get, "/tokens", "API tokens, without their secrets.", gate.TokenManage, paging, pages[identity.Token](), (*API).tokens},
	{post, "/tokens", "Make an API token; its text is told once.", gate.TokenManage, nil, makes(NewToken{}).of(AddToken{}, "name", "roles"), (*API).addToken},
	{remove, "/tokens/{id}", "Revoke an API token.", gate.TokenManage, nil, ends(), (*API).removeToken},
	{get, "/certificates", "Client certificates that may sign in.", gate.TokenManage, paging, pages[identity.Certificate](), (*API).certificates},
	{post, "/certificates", "Issue a client certificate; a key made here is told once.", gate.TokenManage, nil, makes(NewCertificate{}).of(AddCertificate{}, "name", "roles"), (*API).addCertificate},
	{remove, "/certificates/{id}", "Revoke a client certificate.", gate.TokenManage, nil, ends(), (*API).removeCertificate},
	{get, "/orgs", "Organisations that the node knows.", gate.UserManage, nil, pages[identity.Org](), (*API).orgs},
	{post, "/orgs", "Register an organisation.", gate.UserManage, nil, makes(identity.Org{}).of(identity.Org{}, "name"), (*API).addOrg},
	{put, "/orgs/{name}", "Change an organisation.", gate.UserManage, nil, gives(identity.Org{}).of(identity.Org{}), (*API).changeOrg},
	{remove, "/orgs/{name}", "Remove an organisation that nothing names.", gate.UserManage, nil, ends(), (*API).removeOrg},
	{get, "/communities", "Communities and their members.", gate.UserManage, nil, pages[identity.Community](), (*API).communities},
	{put, "/communities/{name}", "Make a community, or change its members.", gate.UserManage, nil, gives(identity.Community{}).of(identity.Community{}, "members"), (*API).putCommunity},
	{remove, "/communities/{name}", "Remove a community.", gate.UserManage, nil, ends(), (*API).removeCommunity},

	{get, "/feeds", "Feeds and how they are, by name.", gate.FeedRead, nil, pages[feed.View](), (*API).feeds},
	{get, "/feeds/{name}", "One feed with its last runs.", gate.FeedRead, nil, gives(feed.View{}), (*API).feed},
	{post, "/feeds/{name}/run", "Run a feed now; the answer is what it did. With dry_run nothing is stored.", gate.FeedRun,
		[]Param{{Name: "dry_run", Doc: "Store nothing, and say what would be.", Kind: Flag, Default: false}}, gives(feed.Report{}), (*API).runFeed},

	{get, "/quarantine", "Records in quarantine, oldest first.", gate.QuarantineRead, paging, pages[Held](), (*API).quarantine},
	{get, "/quarantine/{id}", "One record in quarantine, by its id there or the object's.", gate.QuarantineRead, nil, gives(Held{}), (*API).heldRecord},
	{post, "/quarantine/{id}/release", "Let a record out, under the label its markings intend or another.", gate.QuarantineDecide, nil, ends().of(ReleaseHeld{}).optional(), (*API).releaseHeld},
	{post, "/quarantine/{id}/refuse", "Destroy a record in quarantine.", gate.QuarantineDecide, nil, ends(), (*API).refuseHeld},
}
