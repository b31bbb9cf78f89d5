package register

const (
	// DefinitionID is the id of the extension definition that declares the type.
	DefinitionID = "extension-definition--7b1f2c0e-5d0b-4c55-9a37-6e7d0c4b9e21"
	// AuthorID is the id of the definition's author.
	AuthorID = "identity--2d5c9f6a-8e43-4f0d-b1a6-3c7e90d1f458"

	defined = "2026-11-01T00:00:00.000Z"
)

// Definition is the objects that declare the type: the extension definition and, before it, its author.
func Definition() [][]byte {
	return [][]byte{
		[]byte(`{"created":"` + defined + `","id":"` + AuthorID + `","identity_class":"system","modified":"` + defined +
			`","name":"Entente","spec_version":"2.1","type":"identity"}`),
		[]byte(`{"created":"` + defined + `","created_by_ref":"` + AuthorID + `","description":"An organisation that is served, with its contacts and with the networks, ` +
			`domains, certificates and software of it that are watched.","extension_types":["new-sdo"],"id":"` + DefinitionID + `","modified":"` + defined +
			`","name":"constituent","schema":"docs/register.md of Entente: the members of a constituent","spec_version":"2.1","type":"extension-definition","version":"1.0.0"}`),
	}
}

// sectors is industry-sector-ov (STIX 2.1 section 10.11).
var sectors = wordSet(`agriculture aerospace automotive chemical commercial communications construction defense education energy entertainment
	financial-services government emergency-services government-local government-national government-public-services government-regional healthcare
	hospitality-leisure infrastructure dams nuclear water insurance legal manufacturing mining non-profit pharmaceuticals retail technology
	telecommunications transportation utilities`)
