package taxii

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// field is a bit set of the query parameters that an endpoint knows; all others are ignored there (section 3.4).
type field uint8

const (
	fieldAddedAfter field = 1 << iota
	fieldLimit
	fieldNext
	fieldID
	fieldType
	fieldVersion
	fieldSpec

	objectsFields  = fieldAddedAfter | fieldLimit | fieldNext | fieldID | fieldType | fieldVersion | fieldSpec
	objectFields   = fieldAddedAfter | fieldLimit | fieldNext | fieldVersion | fieldSpec
	versionsFields = fieldAddedAfter | fieldLimit | fieldNext | fieldSpec
	deleteFields   = fieldVersion | fieldSpec
)

var fieldNames = map[string]field{"added_after": fieldAddedAfter, "limit": fieldLimit, "next": fieldNext, "match[id]": fieldID,
	"match[type]": fieldType, "match[version]": fieldVersion, "match[spec_version]": fieldSpec}

// parsedQuery is a request's query. limit is 0 when absent.
type parsedQuery struct {
	Filter
	limit int
	next  string
}

func badQuery(name, why string) *Error {
	return &Error{HTTPStatus: http.StatusBadRequest, Title: "Invalid query parameter", ErrorCode: "query.invalid",
		Description: name + ": " + why, Details: map[string]string{"field": name, "rule": "TAXII 2.1 section 3.4"}}
}

// parseQuery reads the parameters an endpoint knows, each at most once, with at most maxValues values in a list.
func parseQuery(raw string, known field, maxValues int) (parsedQuery, *Error) {
	var q parsedQuery
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, badQuery("query", "is not percent-encoded as it must be")
	}
	for name, vs := range values {
		f := fieldNames[name] & known
		if f == 0 {
			continue
		}
		if len(vs) > 1 {
			return q, badQuery(name, "may be given only once")
		}
		if e := q.set(f, name, vs[0], maxValues); e != nil {
			return q, e
		}
	}
	return q, nil
}

func (q *parsedQuery) set(f field, name, v string, maxValues int) (e *Error) {
	switch f {
	case fieldAddedAfter:
		t, err := ParseTime(v)
		if err != nil {
			return badQuery(name, err.Error()+`; a "+" is sent as %2B`)
		}
		q.AddedAfter = t
	case fieldLimit:
		q.limit, e = parseLimit(v)
	case fieldNext:
		if v == "" {
			return badQuery(name, "is empty")
		}
		q.next = v
	case fieldID:
		q.IDs, e = parseList(name, v, maxValues)
	case fieldType:
		q.Types, e = parseList(name, v, maxValues)
	case fieldSpec:
		if q.Specs, e = parseList(name, v, maxValues); e != nil {
			return e
		}
		for _, s := range q.Specs {
			if !isSpecVersion(s) {
				return badQuery(name, `want versions such as "2.1"`)
			}
		}
	case fieldVersion:
		q.Versions, e = parseVersions(name, v, maxValues)
	}
	return e
}

// parseLimit reads a positive integer; one beyond the machine's range is as good as the greatest.
func parseLimit(v string) (int, *Error) {
	n := 0
	for i := 0; i < len(v); i++ {
		d := int(v[i]) - '0'
		if d < 0 || d > 9 {
			return 0, badQuery("limit", "want a positive integer")
		}
		if n > (math.MaxInt32-d)/10 {
			n = math.MaxInt32
		} else {
			n = n*10 + d
		}
	}
	if n == 0 {
		return 0, badQuery("limit", "want a positive integer")
	}
	return n, nil
}

// parseList reads a comma list, sorted and without repetitions.
func parseList(name, v string, maxValues int) ([]string, *Error) {
	if strings.Count(v, ",") >= maxValues {
		return nil, badQuery(name, "has too many values; ask in several requests")
	}
	list := strings.Split(v, ",")
	if slices.Contains(list, "") {
		return nil, badQuery(name, "has an empty value")
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func parseVersions(name, v string, maxValues int) (Versions, *Error) {
	var out Versions
	if strings.Count(v, ",") >= maxValues {
		return out, badQuery(name, "has too many values; ask in several requests")
	}
	n := 0
	for s := range strings.SplitSeq(v, ",") {
		n++
		twice := false
		switch s {
		case "all":
			twice, out.All = out.All, true
		case "first":
			twice, out.First = out.First, true
		case "last":
			twice, out.Last = out.Last, true
		default:
			t, err := ParseTime(s)
			if err != nil {
				return out, badQuery(name, `want "first", "last", "all" or timestamps: `+err.Error())
			}
			out.At = append(out.At, t)
		}
		if twice {
			return out, badQuery(name, "repeats a value")
		}
	}
	slices.SortFunc(out.At, time.Time.Compare)
	for i := 1; i < len(out.At); i++ {
		if out.At[i].Equal(out.At[i-1]) {
			return out, badQuery(name, "repeats a value")
		}
	}
	if out.All && n > 1 {
		return out, badQuery(name, `"all" stands alone`)
	}
	return out, nil
}

func isSpecVersion(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	return ok && isDigits(major) && isDigits(minor)
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 4
}
