package decision

// ReadProposal reads a payload whose envelope was verified before, or that nobody has signed yet.
func ReadProposal(payload []byte) (*Proposal, error) {
	var p Proposal
	if err := read(payload, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// ReadPosition reads a payload whose envelope was verified before.
func ReadPosition(payload []byte) (*Position, error) {
	var p Position
	if err := read(payload, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// ReadReport reads a payload whose envelope was verified before.
func ReadReport(payload []byte) (*Report, error) {
	var r Report
	if err := read(payload, &r); err != nil {
		return nil, err
	}
	return &r, nil
}
