package misp

import (
	"cmp"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxAnswer bounds the bytes of one answer that ParseSightings or ParseCluster reads.
const MaxAnswer = 64 << 20

const answerRule = "MISP REST interface"

func answerError(what string, raw []byte, err error) error {
	if len(raw) > MaxAnswer {
		return &Error{Code: CodeSize, Offset: -1, Rule: answerRule, Message: "the answer is larger than 64 MiB"}
	}
	if err == nil {
		return nil
	}
	return &Error{Code: CodeSyntax, Offset: -1, Rule: answerRule, Message: "these are no " + what + ": " + err.Error(), Err: err}
}

// ParseSightings reads what a search for sightings gives: a list of them, in an envelope or without. The error is an *Error.
func ParseSightings(raw []byte) ([]Sighting, error) {
	if err := answerError("", raw, nil); err != nil {
		return nil, err
	}
	type one struct {
		Sighting Sighting `json:"Sighting"`
	}
	var list List[one]
	var err error
	if jsontext.Value(raw).Kind() == jsontext.KindBeginObject {
		var envelope struct {
			Response List[one] `json:"response"`
		}
		err = json.Unmarshal(raw, &envelope, lenient)
		list = envelope.Response
	} else {
		err = json.Unmarshal(raw, &list, lenient)
	}
	if err != nil {
		return nil, answerError("sightings", raw, err)
	}
	out := make([]Sighting, len(list))
	for i := range list {
		out[i] = list[i].Sighting
	}
	return out, nil
}

// ParseCluster reads one galaxy cluster as an instance gives it, in its galaxy. Its elements become the cluster's meta. The error is an *Error.
func ParseCluster(raw []byte) (Galaxy, error) {
	if err := answerError("", raw, nil); err != nil {
		return Galaxy{}, err
	}
	var answer struct {
		Cluster jsontext.Value `json:"GalaxyCluster"`
	}
	if err := json.Unmarshal(raw, &answer, lenient); err != nil {
		return Galaxy{}, answerError("clusters", raw, err)
	}
	if answer.Cluster == nil {
		answer.Cluster = raw
	}
	var c Cluster
	var around struct {
		Galaxy   Galaxy `json:"Galaxy"`
		Elements List[struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		}] `json:"GalaxyElement"`
	}
	err := json.Unmarshal(answer.Cluster, &c, lenient)
	if err == nil {
		err = json.Unmarshal(answer.Cluster, &around, lenient)
	}
	if err != nil {
		return Galaxy{}, answerError("clusters", raw, err)
	}
	if c.Value == "" || c.UUID == "" {
		return Galaxy{}, &Error{Code: CodeEmpty, Offset: -1, Rule: answerRule, Message: "there is no cluster in it"}
	}
	meta := map[string][]string{}
	for _, e := range around.Elements {
		meta[e.Key] = append(meta[e.Key], e.Value)
	}
	if len(meta) > 0 && c.Meta == nil {
		if b, err := json.Marshal(meta, writing); err == nil {
			c.Meta = b
		}
	}
	c.Unknown = nil
	g := around.Galaxy
	g.Type = cmp.Or(g.Type, c.Type)
	g.Unknown, g.Clusters = nil, List[Cluster]{c}
	return g, nil
}
