package misp

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Event is the container of the core format. Numbers are kept as the text that MISP writes. What the package does not name stands in Unknown,
// as a JSON object with its exact members.
type Event struct {
	ID                 string                `json:"id,omitzero"`
	OrgcID             string                `json:"orgc_id,omitzero"`
	OrgID              string                `json:"org_id,omitzero"`
	UUID               string                `json:"uuid,omitzero"`
	Date               string                `json:"date,omitzero"` // YYYY-MM-DD
	ThreatLevel        string                `json:"threat_level_id,omitzero"`
	Info               string                `json:"info"`
	Published          Flag                  `json:"published,omitzero"`
	Analysis           string                `json:"analysis,omitzero"`
	AttributeCount     string                `json:"attribute_count,omitzero"`
	Timestamp          string                `json:"timestamp,omitzero"` // seconds since 1970
	Distribution       string                `json:"distribution,omitzero"`
	ProposalEmailLock  Flag                  `json:"proposal_email_lock,omitzero"`
	Locked             Flag                  `json:"locked,omitzero"`
	PublishTimestamp   string                `json:"publish_timestamp,omitzero"`
	SharingGroupID     string                `json:"sharing_group_id,omitzero"`
	DisableCorrelation Flag                  `json:"disable_correlation,omitzero"`
	ExtendsUUID        string                `json:"extends_uuid,omitzero"`
	Org                *Org                  `json:"Org,omitzero"`
	Orgc               *Org                  `json:"Orgc,omitzero"` // the creator
	SharingGroup       *SharingGroup         `json:"SharingGroup,omitzero"`
	Attributes         List[Attribute]       `json:"Attribute,omitempty"`
	Shadows            List[ShadowAttribute] `json:"ShadowAttribute,omitempty"`
	Galaxies           List[Galaxy]          `json:"Galaxy,omitempty"`
	Objects            List[Object]          `json:"Object,omitempty"`
	Reports            List[EventReport]     `json:"EventReport,omitempty"`
	Tags               List[Tag]             `json:"Tag,omitempty"`
	Unknown            jsontext.Value        `json:",embed"`

	raw     []byte
	members []string // names in what it was read from
}

// Raw is the exact bytes of the event, without the envelope it came in: what is to be passed on untouched. It is nil for an event that Parse
// did not make.
func (e *Event) Raw() []byte { return e.raw }

// Has tells whether the JSON that the event was read from has a member of its own with this name, if only an empty one. Attribute and Object do
// not count.
func (e *Event) Has(member string) bool { return slices.Contains(e.members, member) }

// Attribute is one datum of an event or object.
type Attribute struct {
	ID                 string                `json:"id,omitzero"`
	Type               string                `json:"type"`
	Category           string                `json:"category,omitzero"`
	ToIDs              Flag                  `json:"to_ids,omitzero"`
	UUID               string                `json:"uuid,omitzero"`
	EventID            string                `json:"event_id,omitzero"`
	Distribution       string                `json:"distribution,omitzero"`
	Timestamp          string                `json:"timestamp,omitzero"`
	Comment            string                `json:"comment,omitzero"`
	SharingGroupID     string                `json:"sharing_group_id,omitzero"`
	Deleted            Flag                  `json:"deleted,omitzero"`
	DisableCorrelation Flag                  `json:"disable_correlation,omitzero"`
	ObjectID           string                `json:"object_id,omitzero"`
	ObjectRelation     string                `json:"object_relation,omitzero"`
	FirstSeen          string                `json:"first_seen,omitzero"`
	LastSeen           string                `json:"last_seen,omitzero"`
	Value              string                `json:"value"`
	Data               string                `json:"data,omitzero"` // base64 of an attachment
	SharingGroup       *SharingGroup         `json:"SharingGroup,omitzero"`
	Galaxies           List[Galaxy]          `json:"Galaxy,omitempty"`
	Shadows            List[ShadowAttribute] `json:"ShadowAttribute,omitempty"`
	Tags               List[Tag]             `json:"Tag,omitempty"`
	Sightings          List[Sighting]        `json:"Sighting,omitempty"`
	Unknown            jsontext.Value        `json:",embed"`
}

// Object is a group of attributes by a template.
type Object struct {
	ID              string                `json:"id,omitzero"`
	Name            string                `json:"name"`
	MetaCategory    string                `json:"meta-category,omitzero"`
	Description     string                `json:"description,omitzero"`
	TemplateUUID    string                `json:"template_uuid,omitzero"`
	TemplateVersion string                `json:"template_version,omitzero"`
	EventID         string                `json:"event_id,omitzero"`
	UUID            string                `json:"uuid,omitzero"`
	Timestamp       string                `json:"timestamp,omitzero"`
	Distribution    string                `json:"distribution,omitzero"`
	SharingGroupID  string                `json:"sharing_group_id,omitzero"`
	Comment         string                `json:"comment,omitzero"`
	Deleted         Flag                  `json:"deleted,omitzero"`
	FirstSeen       string                `json:"first_seen,omitzero"`
	LastSeen        string                `json:"last_seen,omitzero"`
	SharingGroup    *SharingGroup         `json:"SharingGroup,omitzero"`
	References      List[ObjectReference] `json:"ObjectReference,omitempty"`
	Attributes      List[Attribute]       `json:"Attribute,omitempty"`
	Unknown         jsontext.Value        `json:",embed"`
}

// ObjectReference is a named relation from an object to an object or attribute of the same event.
type ObjectReference struct {
	ID               string         `json:"id,omitzero"`
	UUID             string         `json:"uuid,omitzero"`
	Timestamp        string         `json:"timestamp,omitzero"`
	ObjectID         string         `json:"object_id,omitzero"`
	ObjectUUID       string         `json:"object_uuid,omitzero"`
	ReferencedUUID   string         `json:"referenced_uuid,omitzero"`
	ReferencedType   string         `json:"referenced_type,omitzero"`
	RelationshipType string         `json:"relationship_type,omitzero"`
	Comment          string         `json:"comment,omitzero"`
	Deleted          Flag           `json:"deleted,omitzero"`
	Unknown          jsontext.Value `json:",embed"`
}

// Tag is a label of an event or attribute, most often a machine tag of a taxonomy or galaxy.
type Tag struct {
	ID         string         `json:"id,omitzero"`
	Name       string         `json:"name"`
	Colour     string         `json:"colour,omitzero"`
	Exportable Flag           `json:"exportable,omitzero"`
	HideTag    Flag           `json:"hide_tag,omitzero"`
	Local      Flag           `json:"local,omitzero"` // it never leaves the instance
	Unknown    jsontext.Value `json:",embed"`
}

// Galaxy is a kind of knowledge, with the clusters that are attached.
type Galaxy struct {
	ID          string         `json:"id,omitzero"`
	UUID        string         `json:"uuid,omitzero"`
	Name        string         `json:"name,omitzero"`
	Type        string         `json:"type,omitzero"`
	Description string         `json:"description,omitzero"`
	Version     string         `json:"version,omitzero"`
	Icon        string         `json:"icon,omitzero"`
	Namespace   string         `json:"namespace,omitzero"`
	Clusters    List[Cluster]  `json:"GalaxyCluster,omitempty"`
	Unknown     jsontext.Value `json:",embed"`
}

// Cluster is one entry of a galaxy: an actor, a technique, a country.
type Cluster struct {
	ID             string         `json:"id,omitzero"`
	UUID           string         `json:"uuid,omitzero"`
	CollectionUUID string         `json:"collection_uuid,omitzero"`
	Type           string         `json:"type,omitzero"`
	Value          string         `json:"value"`
	TagName        string         `json:"tag_name,omitzero"`
	Description    string         `json:"description,omitzero"`
	GalaxyID       string         `json:"galaxy_id,omitzero"`
	Source         string         `json:"source,omitzero"`
	Authors        List[string]   `json:"authors,omitempty"`
	Version        string         `json:"version,omitzero"`
	Distribution   string         `json:"distribution,omitzero"`
	SharingGroupID string         `json:"sharing_group_id,omitzero"`
	Default        Flag           `json:"default,omitzero"` // one of the published clusters
	Org            *Org           `json:"Org,omitzero"`
	Orgc           *Org           `json:"Orgc,omitzero"`
	SharingGroup   *SharingGroup  `json:"SharingGroup,omitzero"`
	Meta           jsontext.Value `json:"meta,omitzero"`
	Unknown        jsontext.Value `json:",embed"`
}

// EventReport is a text in Markdown.
type EventReport struct {
	ID             string         `json:"id,omitzero"`
	UUID           string         `json:"uuid,omitzero"`
	EventID        string         `json:"event_id,omitzero"`
	Name           string         `json:"name"`
	Content        string         `json:"content"`
	Distribution   string         `json:"distribution,omitzero"`
	SharingGroupID string         `json:"sharing_group_id,omitzero"`
	Timestamp      string         `json:"timestamp,omitzero"`
	Deleted        Flag           `json:"deleted,omitzero"`
	SharingGroup   *SharingGroup  `json:"SharingGroup,omitzero"`
	Tags           List[Tag]      `json:"Tag,omitempty"`
	Unknown        jsontext.Value `json:",embed"`
}

// Sighting says that an attribute was seen (type 0), was a false positive (1) or expires (2).
type Sighting struct {
	ID            string         `json:"id,omitzero"`
	UUID          string         `json:"uuid,omitzero"`
	AttributeID   string         `json:"attribute_id,omitzero"`
	AttributeUUID string         `json:"attribute_uuid,omitzero"`
	EventID       string         `json:"event_id,omitzero"`
	OrgID         string         `json:"org_id,omitzero"`
	Date          string         `json:"date_sighting,omitzero"` // seconds since 1970
	Source        string         `json:"source,omitzero"`
	Type          string         `json:"type,omitzero"`
	Organisation  *Org           `json:"Organisation,omitzero"`
	Unknown       jsontext.Value `json:",embed"`
}

// ShadowAttribute is a proposal to add or change an attribute.
type ShadowAttribute struct {
	ID               string         `json:"id,omitzero"`
	UUID             string         `json:"uuid,omitzero"`
	OldID            string         `json:"old_id,omitzero"`
	OldUUID          string         `json:"old_uuid,omitzero"`
	EventID          string         `json:"event_id,omitzero"`
	EventUUID        string         `json:"event_uuid,omitzero"`
	OrgID            string         `json:"org_id,omitzero"`
	EventOrgID       string         `json:"event_org_id,omitzero"`
	Type             string         `json:"type,omitzero"`
	Category         string         `json:"category,omitzero"`
	Value            string         `json:"value,omitzero"`
	ToIDs            Flag           `json:"to_ids,omitzero"`
	Comment          string         `json:"comment,omitzero"`
	Timestamp        string         `json:"timestamp,omitzero"`
	FirstSeen        string         `json:"first_seen,omitzero"`
	LastSeen         string         `json:"last_seen,omitzero"`
	ProposalToDelete Flag           `json:"proposal_to_delete,omitzero"`
	Deleted          Flag           `json:"deleted,omitzero"`
	Org              *Org           `json:"Org,omitzero"`
	Unknown          jsontext.Value `json:",embed"`
}

// Org is an organisation.
type Org struct {
	ID      string         `json:"id,omitzero"`
	Name    string         `json:"name,omitzero"`
	UUID    string         `json:"uuid,omitzero"`
	Local   Flag           `json:"local,omitzero"`
	Unknown jsontext.Value `json:",embed"`
}

// SharingGroup names the organisations and servers that may hold what distribution 4 marks.
type SharingGroup struct {
	ID               string                   `json:"id,omitzero"`
	UUID             string                   `json:"uuid,omitzero"`
	Name             string                   `json:"name,omitzero"`
	Releasability    string                   `json:"releasability,omitzero"`
	Description      string                   `json:"description,omitzero"`
	OrganisationUUID string                   `json:"organisation_uuid,omitzero"`
	OrgID            string                   `json:"org_id,omitzero"`
	SyncUserID       string                   `json:"sync_user_id,omitzero"`
	Active           Flag                     `json:"active,omitzero"`
	Created          string                   `json:"created,omitzero"`
	Modified         string                   `json:"modified,omitzero"`
	Local            Flag                     `json:"local,omitzero"`
	Roaming          Flag                     `json:"roaming,omitzero"`
	Organisation     *Org                     `json:"Organisation,omitzero"`
	Orgs             List[SharingGroupOrg]    `json:"SharingGroupOrg,omitempty"`
	Servers          List[SharingGroupServer] `json:"SharingGroupServer,omitempty"`
	Unknown          jsontext.Value           `json:",embed"`
}

// SharingGroupOrg is one member of a sharing group. Extend lets it change the group.
type SharingGroupOrg struct {
	ID             string         `json:"id,omitzero"`
	UUID           string         `json:"uuid,omitzero"`
	SharingGroupID string         `json:"sharing_group_id,omitzero"`
	OrgID          string         `json:"org_id,omitzero"`
	Extend         Flag           `json:"extend,omitzero"`
	Organisation   *Org           `json:"Organisation,omitzero"`
	Unknown        jsontext.Value `json:",embed"`
}

// SharingGroupServer is a server that a sharing group reaches; with AllOrgs every organisation on it.
type SharingGroupServer struct {
	ID             string         `json:"id,omitzero"`
	SharingGroupID string         `json:"sharing_group_id,omitzero"`
	ServerID       string         `json:"server_id,omitzero"`
	AllOrgs        Flag           `json:"all_orgs,omitzero"`
	Server         jsontext.Value `json:"Server,omitzero"`
	Unknown        jsontext.Value `json:",embed"`
}
