package peer

// ReadRendition reads a payload that Payload made, as its maker does who needs no signature to know it. What came from others is opened by an Opener.
func ReadRendition(payload []byte) (*Rendition, error) {
	var o Opener
	return o.parse(payload)
}
