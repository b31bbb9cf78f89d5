package api

import "entente/stix"

// upgrade makes STIX 2.1 of an object of STIX 2.0. One that cannot be upgraded is left as it is, for the exchange to judge.
func upgrade(raw []byte) (objects [][]byte, losses []Loss, upgraded bool) {
	objects, lost, err := stix.Upgrade(raw)
	if err != nil || len(objects) == 0 {
		return [][]byte{raw}, nil, false
	}
	id := ""
	if o, err := stix.Parse(raw); err == nil {
		id = o.ID()
	}
	for _, l := range lost {
		losses = append(losses, Loss{ID: id, Code: l.Code, Pointer: l.Pointer, Message: l.Message})
	}
	return objects, losses, true
}
