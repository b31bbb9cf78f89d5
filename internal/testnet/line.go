package testnet

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"entente/internal/federation"
	"entente/peer"
)

// Handler is the nation's door for one caller. Who calls is known by the door, as it would be by the key.
func (n *Nation) Handler(caller string) http.Handler {
	b := n.Federation.Backend()
	if f := n.net.o.Backend; f != nil {
		b = f(n, b)
	}
	c := n.Federation.Carrier()
	if f := n.net.o.Carrier; f != nil && c != nil {
		c = f(n, c)
	}
	h := peer.NewServer(b, peer.Options{Carrier: c})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller != "" {
			r = r.WithContext(federation.WithCaller(r.Context(), federation.Caller{Nation: caller, Org: Org(caller)}))
		}
		h.ServeHTTP(w, r)
	})
}

// line carries requests from one nation to another, unless it is cut.
type line struct{ from, to *Nation }

// call is one request on its way.
type call struct {
	end  context.CancelFunc
	done chan struct{} // closed when it was answered
}

func (net *Net) isCut(from, to string) bool {
	net.mu.Lock()
	defer net.mu.Unlock()
	return net.cut[from+">"+to]
}

// hangUp ends all requests to and from a nation.
func (net *Net) hangUp(code string) {
	net.mu.Lock()
	var waits []*call
	for _, other := range net.codes {
		for _, way := range []string{code + ">" + other, other + ">" + code} {
			for c := range net.on[way] {
				c.end()
				waits = append(waits, c)
			}
		}
	}
	net.mu.Unlock()
	for _, c := range waits {
		<-c.done
	}
}

// Do implements peer.Doer.
func (l line) Do(r *http.Request) (*http.Response, error) {
	net, way := l.from.net, l.from.Code+">"+l.to.Code
	ctx, end := context.WithCancel(r.Context())
	c := &call{end: end, done: make(chan struct{})}
	net.mu.Lock()
	if net.cut[way] || !l.to.running {
		net.mu.Unlock()
		end()
		return nil, fmt.Errorf("the line from %s to %s is cut", l.from.Code, l.to.Code)
	}
	if net.on[way] == nil {
		net.on[way] = map[*call]bool{}
	}
	net.on[way][c] = true
	handler := l.to.Handler(l.from.Code)
	net.mu.Unlock()
	return serve(ctx, end, handler, r, nil, func() {
		net.mu.Lock()
		delete(net.on[way], c)
		net.mu.Unlock()
		close(c.done)
	})
}

// serve lets a handler answer a request, whose answer is read while it is written.
func serve(ctx context.Context, end context.CancelFunc, h http.Handler, r *http.Request, taken func([]byte), done func()) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	in, out := io.Pipe()
	a := &answer{header: http.Header{}, out: out, ready: make(chan struct{}), taken: taken}
	go func() {
		defer done()
		stop := context.AfterFunc(ctx, func() { _ = out.CloseWithError(io.ErrUnexpectedEOF) })
		defer stop()
		h.ServeHTTP(a, r.Clone(ctx))
		a.WriteHeader(http.StatusOK)
		_ = out.Close()
	}()
	select {
	case <-a.ready:
		return &http.Response{StatusCode: a.status, Header: a.header.Clone(), Body: body{in, end}, Request: r, Proto: "HTTP/2.0", ProtoMajor: 2, ContentLength: -1}, nil
	case <-ctx.Done():
		end()
		return nil, ctx.Err()
	}
}

type body struct {
	*io.PipeReader
	end context.CancelFunc
}

func (b body) Close() error {
	b.end()
	return b.PipeReader.Close()
}

// answer is a response that is read while it is written.
type answer struct {
	header http.Header
	status int
	out    *io.PipeWriter
	ready  chan struct{}
	taken  func([]byte) // may be nil
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) Flush()              {}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
		close(a.ready)
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.taken != nil {
		a.taken(b)
	}
	return a.out.Write(b)
}

// Through is a client's way to a handler; taken is told of all that comes back.
func Through(h http.Handler, taken func([]byte)) peer.Doer {
	return through{h, taken}
}

type through struct {
	h     http.Handler
	taken func([]byte)
}

func (t through) Do(r *http.Request) (*http.Response, error) {
	ctx, end := context.WithCancel(r.Context())
	return serve(ctx, end, t.h, r, t.taken, func() {})
}
