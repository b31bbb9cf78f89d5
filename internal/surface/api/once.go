package api

const (
	onceHeader = "Idempotency-Key"
	maxOnceKey = 255
)
