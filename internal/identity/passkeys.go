package identity

import "time"

type passkey struct {
	ID      []byte
	Created time.Time
}
