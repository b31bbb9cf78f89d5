package mispapi

import "entente/internal/record"

type lookup = record.Lookup

const external = record.External
