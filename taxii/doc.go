// Package taxii speaks TAXII 2.1 (OASIS Standard, 10 June 2021): an HTTP handler over a Backend that the application provides, and a
// client over an HTTP Doer.
//
// The package knows the protocol and no policy. Who the caller is was settled before the handler runs and travels in the request's
// context; what the caller may have is the Backend's answer. Objects are opaque bytes: they are parsed only as far as strict I-JSON
// (RFC 7493) demands, and leave exactly as they came. The package does no I/O of its own and reads no clock.
package taxii
