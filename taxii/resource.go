package taxii

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Discovery is the discovery resource (section 4.1.1). In the server an item of APIRoots, and Default, is either the name of a root
// of this server, which the handler turns into its path, or a URL or path that is sent as it is: other servers may be named.
type Discovery struct {
	Title       string   `json:"title"`
	Description string   `json:"description,omitzero"`
	Contact     string   `json:"contact,omitzero"`
	Default     string   `json:"default,omitzero"`
	APIRoots    []string `json:"api_roots,omitempty"`
}

// Root is the API root resource (section 4.2.1).
type Root struct {
	Title            string   `json:"title"`
	Description      string   `json:"description,omitzero"`
	Versions         []string `json:"versions"` // empty in the server: TAXII 2.1 only
	MaxContentLength int64    `json:"max_content_length"`
}

// Collection is the collection resource as its requester sees it (section 5.2.1).
type Collection struct {
	ID          string   `json:"id"` // UUIDv4
	Title       string   `json:"title"`
	Description string   `json:"description,omitzero"`
	Alias       string   `json:"alias,omitzero"` // unique in its root
	CanRead     bool     `json:"can_read"`
	CanWrite    bool     `json:"can_write"`
	MediaTypes  []string `json:"media_types,omitempty"`
	// Custom holds further properties; their names begin with x_ (section 7.1).
	Custom jsontext.Value `json:",embed"`
}

type collections struct {
	Collections []Collection `json:"collections,omitempty"`
}

// State is the state of a request to add objects.
type State string

const (
	// Complete is final.
	Complete State = "complete"
	// Pending will change.
	Pending State = "pending"
)

// Status is the status resource (section 4.3.1). A list is either as long as its count says or absent.
type Status struct {
	ID               string         `json:"id"` // UUIDv4
	Status           State          `json:"status"`
	RequestTimestamp Time           `json:"request_timestamp,omitzero"`
	TotalCount       int            `json:"total_count"`
	SuccessCount     int            `json:"success_count"`
	Successes        []StatusDetail `json:"successes,omitempty"`
	FailureCount     int            `json:"failure_count"`
	Failures         []StatusDetail `json:"failures,omitempty"`
	PendingCount     int            `json:"pending_count"`
	Pendings         []StatusDetail `json:"pendings,omitempty"`
}

// StatusDetail is what became of one object.
type StatusDetail struct {
	ID      string `json:"id"`
	Version string `json:"version"` // verbatim modified, else created, else the stored date added
	Message string `json:"message,omitzero"`
}

// coherent returns the status with a total that is the sum and without lists that contradict their counts: clients raise on those.
func (s Status) coherent() Status {
	s.TotalCount = s.SuccessCount + s.FailureCount + s.PendingCount
	for _, l := range []struct {
		list  *[]StatusDetail
		count int
	}{{&s.Successes, s.SuccessCount}, {&s.Failures, s.FailureCount}, {&s.Pendings, s.PendingCount}} {
		if len(*l.list) != l.count {
			*l.list = nil
		}
	}
	return s
}

// Time is a time written as a TAXII timestamp.
type Time struct{ time.Time }

// MarshalJSON writes microseconds and UTC.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + FormatTime(t.Time) + `"`), nil }

// UnmarshalJSON reads what ParseTime reads, and the other forms that servers are known to send.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	parsed, err := parseLoose(s)
	t.Time = parsed
	return err
}

// ManifestRecord is one version of one object in a manifest (section 5.3.1).
type ManifestRecord struct {
	ID        string `json:"id"`
	DateAdded Time   `json:"date_added"`
	Version   string `json:"version"`
	MediaType string `json:"media_type,omitzero"`
}

// Error is the error resource (section 3.6.1) with the status, wait and challenges of its response.
type Error struct {
	HTTPStatus      int // written as a string; 0 becomes 500
	Title           string
	Description     string
	ErrorID         string // unique per occurrence; the handler fills it in from Options.ErrorID
	ErrorCode       string // stable and for machines
	ExternalDetails string // URL
	Details         map[string]string
	RetryAfter      time.Duration // header Retry-After, in whole seconds rounded up; 0: none
	Challenge       []string      // headers WWW-Authenticate
}

func (e *Error) Error() string {
	s := e.Title
	if e.HTTPStatus != 0 {
		s = strconv.Itoa(e.HTTPStatus) + " " + s
	}
	if e.Description != "" {
		s += ": " + e.Description
	}
	if e.ErrorID != "" {
		s += " (error_id " + e.ErrorID + ")"
	}
	return s
}

type errorResource struct {
	Title           string            `json:"title"`
	Description     string            `json:"description,omitzero"`
	ErrorID         string            `json:"error_id,omitzero"`
	ErrorCode       string            `json:"error_code,omitzero"`
	HTTPStatus      string            `json:"http_status"`
	ExternalDetails string            `json:"external_details,omitzero"`
	Details         map[string]string `json:"details,omitempty"`
}

// MarshalJSON writes the error resource; http_status is a string.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(errorResource{e.Title, e.Description, e.ErrorID, e.ErrorCode, strconv.Itoa(e.HTTPStatus), e.ExternalDetails, e.Details},
		json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}
