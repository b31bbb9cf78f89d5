// Package stix reads, checks, identifies, splits and upgrades STIX 2.1 objects (OASIS Standard with errata 01).
//
// An Object keeps the exact bytes it was parsed from and a compact index into them; nothing is ever written back. Validate reports
// findings by rule: every rule has a stable machine code, a level (a MUST of the standard is an Error, a SHOULD a Warning) and the
// section it rests on; Rules lists them all. What the standard knows of types, properties, vocabularies and extensions stands in
// types.tab and vocabularies.tab; only constraints between properties are code.
//
// The package does no input or output of its own, reads no clock, and accepts any bytes without panicking.
package stix
