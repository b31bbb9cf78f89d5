package api

import (
	"net/http"

	"entente/internal/gate"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

var paging = []string{"limit", "next"}

var filters = []string{"collection", "type", "id", "value", "ref", "name", "external", "tlp", "version", "spec", "added_after"}

func with(more ...string) []string { return append(append([]string{}, filters...), more...) }

// routes is everything that can be asked.
var routes = []Route{
	{get, "/me", "Who the caller is here, and what it may do.", 0, nil, (*API).me},
	{get, "/version", "Which build runs.", 0, nil, (*API).version},
	{get, "/stats", "What the store knows about itself.", gate.ConfigRead, nil, (*API).stats},
	{get, "/config", "The configuration in force, without secrets.", gate.ConfigRead, nil, (*API).config},
	{get, "/journal", "Administrative and personal acts, oldest first.", gate.AuditRead, paging, (*API).journal},
	{get, "/backup", "A consistent copy of everything a restore needs.", gate.Backup, nil, (*API).backup},

	{get, "/objects", "Objects that the caller may have, in the order they were added.", gate.ObjectRead, with("headers", "limit", "next"), (*API).search},
	{post, "/objects", "Import objects: a bundle, an array, or objects one after another. The answer is one event per line.", gate.ObjectWrite,
		[]string{"collection", "label", "default", "via"}, (*API).importing},
	{get, "/objects/{id}", "One object with its label and origin.", gate.ObjectRead, []string{"collection", "version"}, (*API).object},
	{remove, "/objects/{id}", "Take an object out of a collection.", gate.ObjectWrite, []string{"collection", "version"}, (*API).removeObject},
	{get, "/objects/{id}/raw", "The exact bytes of one object.", gate.ObjectRead, []string{"collection", "version"}, (*API).raw},
	{get, "/objects/{id}/versions", "The versions of one object, without their bodies.", gate.ObjectRead, paging, (*API).versions},
	{get, "/objects/{id}/why", "What the gate decides on an object for somebody else, and every reason.", gate.ObjectRead, []string{"nation", "org", "person", "role", "purpose"}, (*API).why},
	{get, "/objects/{id}/holders", "Which organisations were given an object.", gate.AuditRead, nil, (*API).holders},
	{post, "/objects/{id}/purge", "Destroy every version of an object.", gate.Purge, []string{"dry_run"}, (*API).purge},
	{get, "/export", "All objects of a query at once, as a bundle or one per line.", gate.ObjectRead, with("format"), (*API).export},

	{get, "/blobs", "Files that the caller may have, without their content.", gate.ObjectRead, paging, (*API).listBlobs},
	{post, "/blobs", "Store a file of any content: the body.", gate.ObjectWrite, []string{"name", "media_type", "label", "sample"}, (*API).addBlob},
	{get, "/blobs/{id}", "What is known of one file.", gate.ObjectRead, nil, (*API).blob},
	{remove, "/blobs/{id}", "Destroy a file of the caller's organisation.", gate.ObjectWrite, nil, (*API).removeBlob},
	{get, "/blobs/{id}/content", "The bytes of a file to save; a sample, and with zip any file, in a ZIP with the password infected.", gate.ObjectRead, []string{"zip"}, (*API).blobContent},
	{get, "/blobs/{id}/holders", "Which organisations were given a file.", gate.AuditRead, nil, (*API).blobHolders},
	{post, "/blobs/{id}/purge", "Destroy a file, its key and every trace of both.", gate.Purge, nil, (*API).purgeBlob},

	{get, "/collections", "Collections that the caller may use; with all, every one.", 0, []string{"root", "all"}, (*API).collections},
	{post, "/collections", "Make a collection.", gate.CollectionManage, nil, (*API).addCollection},
	{get, "/collections/{name}", "One collection by its id or alias.", 0, nil, (*API).collection},
	{put, "/collections/{name}", "Change a collection.", gate.CollectionManage, nil, (*API).changeCollection},
	{remove, "/collections/{name}", "Remove an empty collection.", gate.CollectionManage, nil, (*API).removeCollection},
	{get, "/roots", "API roots that the caller may use; with all, every one.", 0, []string{"all"}, (*API).roots},
	{post, "/roots", "Make an API root.", gate.CollectionManage, nil, (*API).addRoot},

	{get, "/users", "Accounts, by name.", gate.UserManage, paging, (*API).users},
	{post, "/users", "Make an account.", gate.UserManage, nil, (*API).addUser},
	{patch, "/users/{name}", "Change an account's roles, password or state.", gate.UserManage, nil, (*API).changeUser},
	{remove, "/users/{name}", "Remove an account.", gate.UserManage, nil, (*API).removeUser},
	{get, "/tokens", "API tokens, without their secrets.", gate.TokenManage, paging, (*API).tokens},
	{post, "/tokens", "Make an API token; its text is told once.", gate.TokenManage, nil, (*API).addToken},
	{remove, "/tokens/{id}", "Revoke an API token.", gate.TokenManage, nil, (*API).removeToken},
	{get, "/certificates", "Client certificates that may sign in.", gate.TokenManage, paging, (*API).certificates},
	{post, "/certificates", "Issue a client certificate; a key made here is told once.", gate.TokenManage, nil, (*API).addCertificate},
	{remove, "/certificates/{id}", "Revoke a client certificate.", gate.TokenManage, nil, (*API).removeCertificate},
	{get, "/orgs", "Organisations that the node knows.", gate.UserManage, nil, (*API).orgs},
	{post, "/orgs", "Register an organisation.", gate.UserManage, nil, (*API).addOrg},
	{put, "/orgs/{name}", "Change an organisation.", gate.UserManage, nil, (*API).changeOrg},
	{remove, "/orgs/{name}", "Remove an organisation that nothing names.", gate.UserManage, nil, (*API).removeOrg},
	{get, "/communities", "Communities and their members.", gate.UserManage, nil, (*API).communities},
	{put, "/communities/{name}", "Make a community, or change its members.", gate.UserManage, nil, (*API).putCommunity},
	{remove, "/communities/{name}", "Remove a community.", gate.UserManage, nil, (*API).removeCommunity},

	{get, "/feeds", "Feeds and how they are, by name.", gate.FeedRead, nil, (*API).feeds},
	{get, "/feeds/{name}", "One feed with its last runs.", gate.FeedRead, nil, (*API).feed},
	{post, "/feeds/{name}/run", "Run a feed now; the answer is what it did. With dry_run nothing is stored.", gate.FeedRun, []string{"dry_run"}, (*API).runFeed},

	{get, "/quarantine", "Records in quarantine, oldest first.", gate.QuarantineRead, paging, (*API).quarantine},
	{get, "/quarantine/{id}", "One record in quarantine, by its id there or the object's.", gate.QuarantineRead, nil, (*API).heldRecord},
	{post, "/quarantine/{id}/release", "Let a record out, under the label its markings intend or another.", gate.QuarantineDecide, nil, (*API).releaseHeld},
	{post, "/quarantine/{id}/refuse", "Destroy a record in quarantine.", gate.QuarantineDecide, nil, (*API).refuseHeld},
}
