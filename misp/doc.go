// Package misp reads and writes the MISP core format and converts it to and from STIX 2.1.
//
// Read streams events of any size; Parse gives them whole. Real exports write numbers as strings or the reverse, lists as objects and
// empty objects as lists, and leave members out: all of that is read. Members that the package does not know are kept. Marshal writes the
// one form that MISP 2.5 accepts.
//
// ToSTIX and FromSTIX are inverse to each other: what one side cannot say openly travels in an extension of our own, and whatever is not
// brought back stands in the losses that both return. LabelOf gives what a distribution, a sharing group and tags restrict; it never permits
// more than they do.
//
// The package does no input or output of its own, reads no clock, and accepts any bytes without panicking.
package misp
