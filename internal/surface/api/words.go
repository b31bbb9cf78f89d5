package api

import (
	"reflect"

	"entente/label"
)

// stands are members whose Go type says less than is known of them.
var stands = map[string]reflect.Type{"Explanation.label": reflect.TypeFor[label.Label]()}

// readOnly are members that the node sets, whatever a body says.
var readOnly = []string{"Org.created"}

// words describe types, members and wildcards for the document.
var words = map[string]string{
	"Problem":          "A failure (RFC 9457).",
	"Problem.title":    "The name of the status.",
	"Problem.status":   "The status of HTTP.",
	"Problem.code":     "What kind of failure it is; stable.",
	"Problem.detail":   "What was wrong.",
	"Problem.pointer":  "Where: a parameter, a header or a member of the body by its name, or an RFC 6901 pointer into an object.",
	"Problem.rule":     "By which rule: a standard and its section, or a rule of this node.",
	"Problem.do":       "What to do about it.",
	"Problem.error_id": "The request's id in the node's log.",

	"Label": "What may be done with a record, and by whom. Every dimension is stated.",

	"Me":       "Who the caller is here.",
	"Me.realm": "The realm that the node belongs to: operational, or an exercise.",
	"Me.own":   "The caller is of the node's own organisation.",
	"Me.may":   "The rights that the caller has, as x-right names them.",

	"Object":               "One version of an object as the caller may have it.",
	"Object.spec":          "The version of STIX.",
	"Object.version":       "The object's modified, or created where it has none.",
	"Object.added":         "When it was added to this node.",
	"Object.held":          "It is in quarantine.",
	"Object.origin":        "Where it came from, as far as the caller may know.",
	"Object.object":        "The object itself. Its exact bytes are at /objects/{id}/raw.",
	"Origin.nation":        "The code of the nation: ISO 3166-1 alpha-3, or one of an exercise.",
	"Origin.via":           "How it came: taxii, import, feed:NAME or peer:NATION.",
	"Event":                "One line of the answer to an import. It has exactly one member.",
	"Event.outcome":        "What became of an object that was held, refused or different.",
	"Event.loss":           "What an upgrade from STIX 2.0 could not carry over.",
	"Event.summary":        "The last line of an import that came to its end.",
	"Event.error":          "The last line of an import that did not.",
	"Progress":             "How far an import is. What is counted is durable.",
	"Summary.kind":         "What the body was: bundle, list, lines, envelope, object or empty.",
	"Summary.bundle":       "The id of the first bundle.",
	"Summary.present":      "Were here already, with the same content.",
	"Summary.different":    "The same version was here already with other content, and was kept.",
	"Summary.upgraded":     "Objects that were of STIX 2.0.",
	"Explanation.hidden":   "The object it names that the viewer may not have, by which it is withheld.",
	"Decision.obligations": "What binds a reader who may have it.",
	"Holding.party":        "NATION/organisation.",
	"Holding.clause":       "The rule that let it go.",
	"PurgeReport.vacuumed": "A file had to be rewritten to lose every trace.",
	"PurgeReport.searched": "Bytes of the store's files that were searched for traces afterwards.",
	"PurgeReport.commit":   "The salted commitment that the journal keeps, in hex.",
	"Stats.collections":    "Records in each collection.",
	"Stats.bytes":          "Of all files of the store.",

	"Act.actor":  "Organisation/person, or node.",
	"Act.verb":   "What was done, for example user.add.",
	"Act.target": "To what.",

	"PutCollection.root":    "Of a new one only; the default root where none is given.",
	"PutCollection.read":    "Roles that may read it; none: every role that may read at all.",
	"PutCollection.write":   "Roles that may write to it; none: every role that may write at all.",
	"PutCollection.default": "The label of records without a TLP; where there is none, TLP:RED for the organisation that hands them in.",
	"PutCollection.policy":  "What happens to an object that breaks a MUST of its standard; reject where none is given.",
	"Root.path":             "One segment of a path.",
	"Root.party":            "NATION/organisation whose root it is; none: everybody's.",

	"AddUser.org":             "The node's own where none is given. One that is not known yet is registered.",
	"AddUser.nation":          "Of an organisation that is not known yet; the node's own where none is given.",
	"AddUser.must_change":     "The password opens nothing but the choice of another one.",
	"AddToken.user":           "An account to act for.",
	"AddToken.seconds":        "How long it is good; one year where none is given.",
	"NewToken.text":           "The secret, told this once.",
	"AddCertificate.csr":      "PKCS #10, PEM or DER; without one a new key is made.",
	"NewCertificate.key_pem":  "The key, told this once; one that was requested for stays with its holder.",
	"NewCertificate.ca_pem":   "The node's authority, to trust.",
	"Token.last_used":         "To the day.",
	"Certificate.fingerprint": "SHA-256 of the certificate, in hex.",
	"Certificate.issuer":      "SHA-256 of the authority's public key, in hex.",
	"Org.client":              "A client of the node's own organisation in the sense of TLP:AMBER.",
	"Org.purposes":            "For which it may use what it gets.",
	"Community.members":       "Names of organisations.",

	"Held.id":           "In quarantine, for this caller.",
	"Held.intended":     "The label that its markings make.",
	"Held.awaits":       "Ids of markings that are not known here.",
	"ReleaseHeld.label": "Without one: the label that its markings intend.",

	"/objects/{id}":       "The id of a STIX object.",
	"/collections/{name}": "The id or alias of a collection.",
	"/users/{name}":       "The account's name.",
	"/tokens/{id}":        "The token's id.",
	"/certificates/{id}":  "The certificate's id.",
	"/orgs/{name}":        "The organisation's name.",
	"/communities/{name}": "The community's name.",
	"/quarantine/{id}":    "The record's id in quarantine, or the object's id where one version is held only.",
}
