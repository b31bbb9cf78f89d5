package mispapi

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/misp"
)

// analyst is a note, an opinion or a relationship: what analysts say of something of MISP.
type analyst struct {
	UUID           string             `json:"uuid"`
	ObjectUUID     string             `json:"object_uuid"`
	ObjectType     string             `json:"object_type"`
	Distribution   string             `json:"distribution"`
	SharingGroupID string             `json:"sharing_group_id"`
	SharingGroup   *misp.SharingGroup `json:"SharingGroup"`
	Modified       string             `json:"modified"`
	Created        string             `json:"created"`
	Orgc           *misp.Org          `json:"Orgc"`
	Locked         misp.Flag          `json:"locked"`
	Unknown        jsontext.Value     `json:",embed"`
}

// analystKinds are the kinds of analyst data, by the names of MISP.
var analystKinds = []string{"Note", "Opinion", "Relationship"}

// analystIn is the analyst data that stands in an element, nested too.
func analystIn(unknown []byte) []analyst {
	var out []analyst
	var walk func(raw []byte, depth int)
	walk = func(raw []byte, depth int) {
		var members map[string]jsontext.Value
		if depth > 8 || json.Unmarshal(raw, &members) != nil {
			return
		}
		for _, kind := range analystKinds {
			var list misp.List[analyst]
			if v := members[kind]; len(v) == 0 || misp.Decode(v, &list) != nil {
				continue
			}
			for i := range list {
				out = append(out, list[i])
				walk(list[i].Unknown, depth+1)
			}
		}
	}
	walk(unknown, 0)
	return out
}

// unknownFlag tells whether a member that the language does not name says yes.
func unknownFlag(unknown []byte, name string) bool {
	var members map[string]jsontext.Value
	if len(unknown) == 0 || json.Unmarshal(unknown, &members) != nil {
		return false
	}
	values, ok := texts(members[name], nil, 0)
	return ok && (params{name: values}).flag(name)
}
