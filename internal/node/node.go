// Package node puts the rooms together: it is the only place that knows them all. A node is a value: tests start several in one
// process.
package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"entente/internal/accords"
	"entente/internal/asset"
	"entente/internal/blob"
	"entente/internal/block"
	"entente/internal/build"
	"entente/internal/decisions"
	"entente/internal/detect"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/feed"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/index"
	"entente/internal/keyring"
	"entente/internal/ledger"
	"entente/internal/lists"
	"entente/internal/notify"
	"entente/internal/peers"
	"entente/internal/record"
	"entente/internal/relay"
	"entente/internal/sso"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/internal/surface"
	"entente/internal/surface/api"
	"entente/internal/surface/console"
	"entente/internal/surface/mispapi"
	"entente/internal/surface/peerapi"
	"entente/internal/surface/taxiiapi"
	"entente/label"
	"entente/register"
	"entente/web"
)

// Socket is the name of the administration socket in the data directory of a running node. Who may open it is the local
// administrator.
const Socket = "admin.sock"

// Local is the name under which the journal keeps what is done on the machine itself.
const Local = "local"

// Node is one running Entente.
type Node struct {
	cfg         Config
	ring        *keyring.Ring
	peers       *peers.Room
	store       store.Store
	ids         *identity.Directory
	sso         *sso.Providers
	exchange    *exchange.Exchange
	register    *asset.Register
	feeds       *feed.Feeds
	lists       *lists.Lists
	events      *mispapi.Surface
	desk        *notify.Desk
	block       *block.Room
	blobs       *blob.Store
	index       *index.Index
	sweeps      sync.WaitGroup
	rest        context.CancelFunc // ends the sweeping of blobs
	ledger      *ledger.Ledger
	accords     *accords.Accords
	federation  *federation.Federation
	detection   *detect.Room
	alarms      alarms
	relay       *relay.Room // nil: this node carries for nobody
	decisions   *decisions.Room
	door        *peerapi.Door
	shelves     []*shelf // of parties that run no node
	partnerAddr string
	hall        *surface.Hall
	registry    *prometheus.Registry
	inForce     atomic.Pointer[inForce]

	mounts []mount      // what public is made of
	public http.Handler // for the listener
	local  http.Handler // for the administration socket and the process itself

	mu       sync.Mutex
	servers  []*http.Server
	listener net.Listener
	ready    bool
	started  time.Time
	stopping chan struct{} // closed when it begins to stop
	once     sync.Once
}

// mount is a handler and where it stands.
type mount struct {
	pattern string // as http.ServeMux has it
	handler http.Handler
}

// New opens everything a node needs, under the exclusive lock of its data directory. It listens to nobody yet.
func New(ctx context.Context, cfg Config) (_ *Node, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, registry: prometheus.NewRegistry(), stopping: make(chan struct{})}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	if n.ring, err = keyring.Open(cfg.Data, cfg.Realm, cfg.Now); err != nil {
		return nil, fmt.Errorf("opening the keys of %s: %w", cfg.Data, err)
	}
	for _, folder := range []string{storeFolder, ledgerFolder, blobFolder, indexFolder} {
		if err := claim(filepath.Join(cfg.Data, folder), cfg.Realm); err != nil {
			return nil, err
		}
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(cfg.Data, storeFolder), Now: cfg.Now, Logger: cfg.Log,
		CacheKiB: int(cfg.Limits.CacheBytes >> 11), MaxBytes: cfg.Limits.StoreBytes})
	if err != nil {
		return nil, fmt.Errorf("opening the store of %s: %w", cfg.Data, err)
	}
	n.store = db
	names := n.ring.Names()
	if n.ids, err = identity.New(ctx, identity.Config{Store: db, Nation: names.Nation, Org: names.Org, Realm: names.Realm, Pepper: n.ring.Pepper(),
		ValidRole: gate.IsRole, AdminRole: gate.RoleAdmin, Now: cfg.Now, Log: cfg.Log, Sealer: n.ring, SessionIdle: time.Duration(cfg.Auth.IdleMinutes) * time.Minute,
		SessionLife: time.Duration(cfg.Auth.SessionHours) * time.Hour, FactorRoles: cfg.Auth.RequireSecondFactor, RPID: cfg.relyingParty(), Origins: cfg.Auth.Origins}); err != nil {
		return nil, fmt.Errorf("reading the register of organisations: %w", err)
	}
	if n.sso, err = sso.New(sso.Options{Providers: cfg.Auth.OIDC, Sealer: n.ring, Agent: "entente/" + build.Read().Version, Now: cfg.Now}); err != nil {
		return nil, fmt.Errorf("opening the ways to the providers of single sign-on: %w", err)
	}
	if n.exchange, err = exchange.New(ctx, exchange.Config{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Gate: n.gate, Now: cfg.Now, Signed: []string{register.Type},
		Log: cfg.Log, ObjectBytes: cfg.Limits.ObjectBytes, PostObjects: cfg.Limits.PostObjects, Recall: n.recall, Forget: n.forget, Purged: n.purged}, db); err != nil {
		return nil, fmt.Errorf("opening the exchange: %w", err)
	}
	n.lists = lists.Load(cfg.Lists, cfg.Data, cfg.Now(), cfg.Log)
	n.events = mispapi.New(mispapi.Config{Settings: cfg.MISP, Nation: names.Nation, Org: names.Org, Register: n.ids.Register, Lists: n.lists, MaxBytes: cfg.Limits.PostBytes,
		SpoolDir: n.SpoolDir(), Now: cfg.Now, Log: cfg.Log}, n.exchange)
	n.register = asset.New(asset.Config{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Door: n.exchange, Signer: n.ring, Now: cfg.Now, Log: cfg.Log})
	if n.peers, err = peers.Open(ctx, peers.Config{Nation: names.Nation, Realm: names.Realm, Docs: db, Now: cfg.Now}); err != nil {
		return nil, fmt.Errorf("opening the register of nations: %w", err)
	}
	if n.feeds, err = feed.New(feed.Options{Nation: names.Nation, Org: names.Org, Realm: names.Realm, Feeds: cfg.Feeds, Sources: sources(), Exchange: n.exchange, Docs: db, Lists: n.lists, Events: n.events,
		Base: cfg.Data, Spool: n.SpoolDir(), UserAgent: "entente/" + build.Read().Version, Now: cfg.Now, Log: cfg.Log}); err != nil {
		return nil, fmt.Errorf("opening the feeds: %w", err)
	}
	if n.blobs, err = blob.Open(ctx, blob.Config{Dir: filepath.Join(cfg.Data, blobFolder), Secret: n.ring.Secret("blob"), Nation: names.Nation, Org: names.Org, Realm: names.Realm,
		Now: cfg.Now, Log: cfg.Log, MaxBytes: cfg.Limits.BlobBytes, TotalBytes: cfg.Limits.BlobsBytes}, db); err != nil {
		return nil, fmt.Errorf("opening the blobs of %s: %w", cfg.Data, err)
	}
	if n.index, err = index.Open(ctx, index.Config{Dir: filepath.Join(cfg.Data, indexFolder), Nation: names.Nation, Org: names.Org, Now: cfg.Now, Logger: cfg.Log,
		CacheKiB: int(cfg.Index.CacheBytes >> 10)}, journal{n}); err != nil {
		return nil, fmt.Errorf("opening the index of %s: %w", cfg.Data, err)
	}
	if err := n.openDesk(ctx); err != nil {
		return nil, fmt.Errorf("opening the alerts: %w", err)
	}
	if err := n.openFederation(ctx); err != nil {
		return nil, fmt.Errorf("opening the federation: %w", err)
	}
	if err := n.openDetection(ctx); err != nil {
		return nil, fmt.Errorf("opening detection: %w", err)
	}
	n.openBlock()
	run, rest := context.WithCancel(context.WithoutCancel(ctx))
	n.rest = rest
	n.sweeps.Go(func() { n.sweepBlobs(run) })
	n.sweeps.Go(func() { n.watchKeys(run) })
	return n, n.surfaces()
}

// indexFolder is where the index stands: beside the store, whose folder a purge searches, and in no backup, because it is made of the journal.
const indexFolder = "index"

// journal is what the index and the alerts follow: all of it, under the node's own scope.
type journal struct{ n *Node }

func (j journal) Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return j.n.exchange.Follow(ctx, j.n.gate().Own(j.n.cfg.Now()), after, limit)
}

// blobFolder is where the files of blobs stand below the data directory.
const blobFolder = "blobs"

// sweepBlobs takes away, once an hour, the files of blobs whose retention has ended.
func (n *Node) sweepBlobs(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := n.blobs.Sweep(ctx); err != nil {
				n.cfg.Log.Warn("the blobs were not swept", "error", err)
			}
		}
	}
}

// inForce is a gate and the generation of the register that it was made from.
type inForce struct {
	gate       *gate.Gate
	generation uint64
}

// gate is the gate in force: made anew after the register has changed.
func (n *Node) gate() *gate.Gate {
	generation := n.ids.Generation()
	if g := n.inForce.Load(); g != nil && g.generation == generation {
		return g.gate
	}
	g := gate.New(gateRules(n.ring.Names(), n.ids.Register(), n.cfg.Gate, n.cfg.Federation.parties()))
	n.inForce.Store(&inForce{g, generation})
	return g
}

func (n *Node) surfaces() error {
	cookie := surface.Cookie{Plain: n.cfg.TLS.Mode == "off"}
	n.hall = surface.New(surface.Config{Credentials: n.ids, Cookie: cookie, Log: n.cfg.Log, InFlight: n.cfg.Limits.InFlight, Patience: n.cfg.Limits.Patience, NoBasic: !n.cfg.Auth.Basic})
	names := n.ring.Names()
	title := n.cfg.TAXII.Title
	if title == "" {
		title = names.Org
	}
	if name, ok := label.Mode(names.Realm).Exercise(); ok {
		title = "EXERCISE " + name + ": " + title
	}
	challenges := n.hall.Challenges()
	taxii, err := taxiiapi.New(taxiiapi.Config{Title: title, Contact: n.cfg.TAXII.Contact, Secret: n.ring.Secret("taxii.next"), MaxContentLength: n.cfg.Limits.PostBytes,
		Challenges: challenges, Log: n.cfg.Log}, n.exchange)
	if err != nil {
		return err
	}
	if err := n.serveShelves(challenges); err != nil {
		return err
	}
	native := api.New(n.exchange, n.ids, n.ring, n.blobs, n)
	pages := console.New(names.Org, firstRun{n.ids}, web.Dist())
	signIn := console.NewSignIn(console.SignInConfig{Directory: n.ids, Cookie: cookie, Render: api.Render(nil), SSO: n.sso, Origin: n.cfg.origin(), Log: n.cfg.Log,
		Org: names.Org, Nation: names.Nation, Realm: names.Realm})
	metrics := promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{})

	tax := mount{taxiiapi.Prefix, n.hall.Protect("taxii", taxiiapi.Render(challenges), n.shelved(taxiiapi.Render(challenges), taxii))}
	n.mounts = []mount{
		{"/api/v1/", n.hall.ProtectPeople("api", api.Render(challenges), native)},
		{"/auth/", n.hall.Open("auth", api.Render(nil), signIn)},
		{"GET /metrics", n.hall.ProtectPeople("metrics", api.Render(challenges), n.auditors(metrics))},
		{"GET /healthz", n.hall.Open("health", console.Render, http.HandlerFunc(n.healthz))},
		{"GET /readyz", n.hall.Open("health", console.Render, http.HandlerFunc(n.readyz))},
		{"/", n.hall.Open("console", console.Render, pages)},
	}
	n.mounts = append(n.mounts, n.sensorMounts(challenges)...)
	public := http.NewServeMux()
	for _, m := range n.mounts {
		public.Handle(m.pattern, m.handler)
	}
	misp := mount{mispapi.Prefix, mispapi.Credential(n.hall.Protect("misp", mispapi.Render, n.events))}
	feedOut := mispapi.Credential(n.hall.Protect("mispfeed", mispapi.Render, n.events.Feeds()))
	if n.cfg.MISPFeed.Anonymous {
		feedOut = mispapi.Unsigned(names.Realm, feedOut)
	}
	feeds := mount{mispapi.FeedPrefix, feedOut}
	n.public = verbatim(tax.pattern, tax.handler, verbatim(misp.pattern, misp.handler, verbatim(feeds.pattern, feeds.handler, public)))
	n.public = surface.Marked(names.Realm, n.public)
	n.mounts = append(n.mounts, tax, misp, feeds)

	local := http.NewServeMux()
	local.Handle("/api/v1/", n.hall.Protect("api", api.Render(challenges), native))
	local.Handle("GET /metrics", metrics)
	local.Handle("GET /readyz", http.HandlerFunc(n.readyz))
	n.local = surface.Marked(names.Realm, n.asLocal(local))

	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.registry.MustRegister(n.hall.Collectors()...)
	n.registry.MustRegister(n.exchange.Collectors()...)
	n.registry.MustRegister(n.blobs.Collectors()...)
	if len(n.cfg.Feeds) > 0 {
		n.registry.MustRegister(n.feeds.Collectors()...)
	}
	n.registry.MustRegister(n.index.Collectors()...)
	n.registry.MustRegister(n.desk.Collectors()...)
	n.registry.MustRegister(n.detection.Collectors()...)
	n.registry.MustRegister(storeCollector{n.store}, keyCollector{n.ring, n.cfg.Now}, allianceCollector{n})
	return nil
}

// verbatim gives everything below prefix to a handler as it was sent. A ServeMux would answer a path that has empty or dotted segments
// itself: with a page of HTML, and to anyone.
func verbatim(prefix string, h, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path+"/", prefix) {
			h.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// asLocal lets requests run as the person who may open the data directory.
func (n *Node) asLocal(next http.Handler) http.Handler {
	names := n.ring.Names()
	v := gate.Viewer{Nation: names.Nation, Org: names.Org, Person: Local, Roles: everyRole(), Realm: names.Realm}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(surface.WithViewer(r.Context(), v)))
	})
}

// auditors lets those through who may read what the node does.
func (n *Node) auditors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !n.exchange.Gate().Can(surface.Viewer(r.Context()), gate.AuditRead) {
			api.Render(nil)(w, r, fault.New(fault.Forbidden, "role.missing", "your roles do not allow %s", gate.AuditRead), surface.RequestID(r.Context()))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (n *Node) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

func (n *Node) readyz(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	ready := n.ready
	n.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if ready {
		if err := n.alive(r.Context()); err != nil {
			ready = false
			n.cfg.Log.Warn("the store is not ready", "error", err)
		}
	}
	if !ready {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "not ready")
		return
	}
	fmt.Fprintln(w, "ready")
}

// alive asks the store for something small.
func (n *Node) alive(ctx context.Context) error {
	_, err := n.store.Docs(ctx, "root", "", 1)
	return err
}

// Start listens. Addr tells where.
func (n *Node) Start(ctx context.Context) error {
	tcp, err := net.Listen("tcp", n.cfg.Listen)
	if err != nil {
		return fault.New(fault.Unavailable, "listen", "cannot listen on %s: %v", n.cfg.Listen, err).Because(err)
	}
	tcp = netutil.LimitListener(tcp, n.cfg.Limits.Connections)
	main := n.server(n.public)
	if n.cfg.TLS.Mode != "off" {
		host, _, _ := net.SplitHostPort(n.cfg.Listen)
		o := keyring.TLSOptions{ClientCAs: n.cfg.TLS.ClientCAs, Hosts: n.cfg.TLS.Hosts, Revoked: n.ids.CertificateRevoked,
			Warn: func(message string, err error) { n.cfg.Log.Warn(message, "error", err) }}
		if a := net.ParseIP(host); a != nil && !a.IsUnspecified() {
			o.Hosts = append(o.Hosts, host)
		}
		if n.cfg.TLS.Mode == "files" {
			o.CertFile, o.KeyFile = n.cfg.TLS.Cert, n.cfg.TLS.Key
		}
		conf, err := n.ring.TLSConfig(o)
		if err != nil {
			tcp.Close()
			return err
		}
		main.TLSConfig = conf
	}
	socket, err := n.listenLocally()
	if err != nil {
		tcp.Close()
		return err
	}
	admin := n.server(n.local)
	servers := []*http.Server{main, admin}
	n.serve(main, tcp, main.TLSConfig != nil)
	n.serve(admin, socket, false)
	if n.cfg.Metrics.Listen != "" {
		l, err := net.Listen("tcp", n.cfg.Metrics.Listen)
		if err != nil {
			main.Close()
			admin.Close()
			return fault.New(fault.Unavailable, "listen", "cannot listen on %s for metrics: %v", n.cfg.Metrics.Listen, err).Because(err)
		}
		m := n.server(promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{}))
		servers = append(servers, m)
		n.serve(m, l, false)
	}
	if err := n.serveFederation(); err != nil {
		for _, s := range servers {
			s.Close()
		}
		return err
	}
	n.feeds.Start()
	n.desk.Start()
	n.detection.Start()
	n.mu.Lock()
	n.servers, n.listener, n.ready, n.started = servers, tcp, true, n.cfg.Now()
	n.mu.Unlock()
	return nil
}

func (n *Node) server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(n.cfg.Log.Handler(), slog.LevelDebug)}
}

func (n *Node) serve(s *http.Server, l net.Listener, secure bool) {
	go func() {
		var err error
		if secure {
			err = s.ServeTLS(l, "", "")
		} else {
			err = s.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			n.cfg.Log.Error("a listener ended", "address", l.Addr().String(), "error", err)
		}
	}()
}

// listenLocally opens the administration socket, which only the node's own account may open.
func (n *Node) listenLocally() (net.Listener, error) {
	path := filepath.Join(n.cfg.Data, Socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // left by a node that was killed: the lock is ours
		return nil, fault.New(fault.Unavailable, "listen", "cannot replace the administration socket").Because(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "listen", "cannot open the administration socket %s: %v", path, err).Because(err).
			Try("a socket's path has at most 107 bytes: choose a data directory with a shorter one")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Addr is where the node listens, once it has started.
func (n *Node) Addr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listener == nil {
		return ""
	}
	return n.listener.Addr().String()
}

// URL is the node's address for a browser or client, once it has started.
func (n *Node) URL() string {
	if n.cfg.TLS.Mode == "off" {
		return "http://" + n.Addr()
	}
	return "https://" + n.Addr()
}

// Stop lets requests under way end until ctx does, then closes everything. The node is not ready from its first moment.
func (n *Node) Stop(ctx context.Context) error {
	n.once.Do(func() { close(n.stopping) })
	n.mu.Lock()
	servers := n.servers
	n.servers, n.ready = nil, false
	n.mu.Unlock()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, err, s.Close())
		}
	}
	return errors.Join(append(errs, n.close())...)
}

func (n *Node) close() error {
	if n.feeds != nil {
		n.feeds.Close()
	}
	if n.sso != nil {
		n.sso.Close()
	}
	if n.desk != nil {
		n.desk.Close()
	}
	if n.detection != nil {
		n.detection.Close()
	}
	n.closeFederation()
	if n.rest != nil {
		n.rest()
		n.sweeps.Wait()
	}
	if n.index != nil {
		if err := n.index.Close(); err != nil {
			n.cfg.Log.Warn("the index was not closed as it should be", "error", err)
		}
	}
	if n.exchange != nil {
		n.exchange.Close()
	}
	if n.store != nil {
		return n.store.Close()
	}
	return nil
}

// Local runs requests in the process, as the local administrator.
func (n *Node) Local() http.RoundTripper { return inProcess{n.local} }

// CA is the node's own authority, in PEM, for clients to trust.
func (n *Node) CA() []byte { return n.ring.CAPEM() }

// ClientTLS is how a client of this process meets the node.
func (n *Node) ClientTLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(n.CA())
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// SetupLink makes the link with which the first administrator chooses a password, when there is none yet.
func (n *Node) SetupLink(ctx context.Context) (string, error) {
	code, _, err := n.ids.IssueSetup(ctx, Local)
	if err != nil {
		return "", err
	}
	return n.URL() + "/setup/" + code, nil
}

// inProcess is a transport that needs no connection. The answer is streamed, as it would be over one.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, ready: make(chan struct{})}
	req := r.Clone(r.Context())
	req.RequestURI = r.URL.RequestURI()
	req.RemoteAddr = "local"
	if req.Body == nil {
		req.Body = io.NopCloser(bytes.NewReader(nil))
	}
	go func() {
		defer func() {
			if p := recover(); p != nil { // an answer that was cut off, as a connection would be
				w.WriteHeader(http.StatusInternalServerError)
				pw.CloseWithError(io.ErrUnexpectedEOF)
			}
			w.WriteHeader(http.StatusOK)
			pw.Close()
			req.Body.Close()
		}()
		t.handler.ServeHTTP(w, req)
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		pr.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: w.status, Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: pr, ContentLength: -1, Request: r}, nil
}

type pipeWriter struct {
	header, sent http.Header
	body         *io.PipeWriter
	status       int
	once         sync.Once
	ready        chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *pipeWriter) Flush() {}
