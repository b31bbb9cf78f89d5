package rendition

import "errors"

// Make is what the audience of a plan may have of an object. The error tells of a plan that cannot be followed or of bytes that are no STIX object;
// everything else is a result.
func Make(body []byte, p Plan) (Result, error) {
	return Result{}, errors.New("no renditions are made")
}
