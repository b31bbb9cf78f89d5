package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"entente/internal/fault"
)

// maxEvent bounds one line of a stream.
const maxEvent = 4 << 20

// Watch listens to what comes to the node: fn gets every event with the id after which to go on, and at first one without content, which says where
// the stream begins. It ends with what fn returns, with the node's
// reason, or as Unavailable where the connection breaks: then ask again after the last id.
func (c *Client) Watch(ctx context.Context, after string, types []string, fn func(id string, l Live) error) error {
	q := url.Values{}
	if after != "" {
		q.Set("after", after)
	}
	if len(types) > 0 {
		q["type"] = types
	}
	resp, err := c.send(ctx, get, "/stream", q, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var id string
	var data []byte
	told := true // everything since the last event was a comment
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			id, told = string(value), false
		case "data":
			data, told = append(data, value...), false
		case "": // the end of an event, or a comment
			if len(lines.Bytes()) > 0 || told {
				continue
			}
			told = true
			var l Live
			if len(data) > 0 {
				if err := json.Unmarshal(data, &l); err != nil {
					return fault.New(fault.Internal, "server.answer", "the node's answer cannot be read").Because(err)
				}
				data = data[:0]
			}
			if l.End != nil {
				return l.End.fault(l.End.Status, 0)
			}
			if err := fn(id, l); err != nil {
				return err
			}
		}
	}
	err = lines.Err()
	if err == nil || errors.Is(err, context.Canceled) {
		err = io.ErrUnexpectedEOF
	}
	return fault.New(fault.Unavailable, "stream.cut", "the connection to the node broke").Because(err)
}
