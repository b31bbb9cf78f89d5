package console

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/identity"
	"entente/internal/surface"
)

// SignInConfig is what people sign in with.
type SignInConfig struct {
	Directory          *identity.Directory
	Cookie             surface.Cookie
	Render             surface.Render
	SSO                SingleSignOn
	Origin             string // where providers send browsers back to; empty: where the browser speaks to the node
	Log                *slog.Logger
	Org, Nation, Realm string
}

// signIn serves everything below /auth/: what a person asks before it is known.
type signIn struct {
	SignInConfig
	places chan struct{} // requests worked on at once
	abroad chan struct{} // of those, the ones that wait for a server elsewhere: these keep no password waiting
}

const (
	signInPlaces = 64
	abroadPlaces = 16
	maxForm      = 8 << 10
	maxPasskey   = 64 << 10
)

type signInRoute struct {
	pattern string
	most    int64 // bytes of the body
	handle  func(*signIn, http.ResponseWriter, *http.Request, []byte) error
	abroad  bool // asks a server elsewhere
}

var signInRoutes = []signInRoute{
	{"GET /auth/options", 0, (*signIn).options, false},
	{"POST /auth/password", maxForm, (*signIn).password, false},
	{"POST /auth/totp", maxForm, (*signIn).totp, false},
	{"POST /auth/change", maxForm, (*signIn).change, false},
	{"POST /auth/passkey/begin", maxForm, (*signIn).beginPasskey, false},
	{"POST /auth/passkey/finish", maxPasskey, (*signIn).finishPasskey, false},
	{"GET /auth/oidc/{id}", 0, (*signIn).beginSSO, true},
	{"GET /auth/oidc/{id}/callback", 0, (*signIn).finishSSO, true},
	{"POST /auth/out", maxForm, (*signIn).out, false},
}

// SignInRoutes lists the endpoints, as http.ServeMux has their patterns.
func SignInRoutes() []string {
	var list []string
	for _, r := range signInRoutes {
		list = append(list, r.pattern)
	}
	return list
}

// NewSignIn makes the handler of the sign-in endpoints.
func NewSignIn(cfg SignInConfig) http.Handler {
	s := &signIn{SignInConfig: cfg, places: make(chan struct{}, signInPlaces), abroad: make(chan struct{}, abroadPlaces)}
	mux := http.NewServeMux()
	for _, r := range signInRoutes {
		mux.Handle(r.pattern, s.serve(r))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.NotFound, "", "no such resource"))
	})
	return mux
}

// serve bounds what anybody may ask without being known: how much at once, how large, and from which site. Who sends its body slowly
// has no place yet, so that nobody is kept out by those who send none.
func (s *signIn) serve(route signInRoute) http.Handler {
	places := s.places
	if route.abroad {
		places = s.abroad
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := takeBody(w, r, route.most)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			s.fail(w, r, fault.New(fault.Unavailable, "auth.busy", "too many sign-ins at once").After(time.Second))
			return
		}
		if err := route.handle(s, w, r, body); err != nil {
			s.fail(w, r, err)
		}
	})
}

func takeBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if err := surface.SameOrigin(r); err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, fault.New(fault.TooLarge, "body.size", "the body has more than %d bytes", most)
		}
		return nil, fault.New(fault.Invalid, "body.read", "the body could not be read").Because(err)
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); len(b) > 0 && !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return nil, fault.New(fault.Unsupported, "body.type", "the body is not application/json")
	}
	return b, nil
}

func decode(b []byte, into any) error {
	if err := json.Unmarshal(b, into, json.RejectUnknownMembers(true)); err != nil {
		return fault.New(fault.Invalid, "body.form", "the body is not the JSON that is asked for here") // its text may hold a password
	}
	return nil
}

func (s *signIn) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.Render(w, r, fault.As(err), surface.RequestID(r.Context()))
}

func (s *signIn) client(r *http.Request) identity.Client {
	return identity.Client{Remote: surface.Remote(r), Agent: r.UserAgent(), Session: s.Cookie.Read(r)}
}

// step is the answer to a step of a sign-in.
type step struct {
	State  string `json:"state"`
	Ticket string `json:"ticket,omitempty"`
	Enrol  bool   `json:"enrol,omitempty"`
}

// next answers a step, and hands over the session where it was the last.
func (s *signIn) next(w http.ResponseWriter, r *http.Request, done identity.SignedIn, err error) error {
	if err != nil {
		return err
	}
	if done.State == identity.StateDone {
		s.Cookie.Set(w, r, done.Cookie)
	}
	return answer(w, step{State: done.State, Ticket: done.Ticket, Enrol: done.Session.Enrol})
}

func answer(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(b)+1))
	w.Write(append(b, '\n'))
	return nil
}

// Provider is a way of single sign-on, as a person chooses it.
type Provider struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type options struct {
	Org      string     `json:"org"`
	Nation   string     `json:"nation"`
	Realm    string     `json:"realm"`
	Password bool       `json:"password"`
	Passkeys bool       `json:"passkeys"`
	OIDC     []Provider `json:"oidc"`
}

func (s *signIn) options(w http.ResponseWriter, r *http.Request, _ []byte) error {
	providers := []Provider{}
	s.SSO.Each(func(id, title string) { providers = append(providers, Provider{id, title}) })
	return answer(w, options{Org: s.Org, Nation: s.Nation, Realm: s.Realm, Password: true, Passkeys: s.Directory.PasskeysAt(s.Cookie.Site(r)), OIDC: providers})
}

func (s *signIn) password(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	if err := decode(body, &in); err != nil {
		return err
	}
	done, err := s.Directory.SignIn(r.Context(), in.Name, in.Password, s.client(r))
	return s.next(w, r, done, err)
}

func (s *signIn) totp(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct {
		Ticket string `json:"ticket"`
		Code   string `json:"code"`
	}
	if err := decode(body, &in); err != nil {
		return err
	}
	done, err := s.Directory.SignInCode(r.Context(), in.Ticket, in.Code, s.client(r))
	return s.next(w, r, done, err)
}

func (s *signIn) change(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct {
		Ticket   string `json:"ticket"`
		Password string `json:"password"`
	}
	if err := decode(body, &in); err != nil {
		return err
	}
	done, err := s.Directory.ChooseNew(r.Context(), in.Ticket, in.Password, s.client(r))
	return s.next(w, r, done, err)
}

func (s *signIn) beginPasskey(w http.ResponseWriter, r *http.Request, _ []byte) error {
	ticket, options, err := s.Directory.BeginPasskeySignIn(s.Cookie.Site(r))
	if err != nil {
		return err
	}
	return answer(w, struct {
		Ticket    string         `json:"ticket"`
		PublicKey jsontext.Value `json:"publicKey"`
	}{ticket, jsontext.Value(options)})
}

func (s *signIn) finishPasskey(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct {
		Ticket     string         `json:"ticket"`
		Credential jsontext.Value `json:"credential"`
	}
	if err := decode(body, &in); err != nil {
		return err
	}
	done, err := s.Directory.SignInPasskey(r.Context(), in.Ticket, in.Credential, s.Cookie.Site(r), s.client(r))
	return s.next(w, r, done, err)
}

func (s *signIn) out(w http.ResponseWriter, r *http.Request, _ []byte) error {
	if text := s.Cookie.Read(r); text != "" {
		if err := s.Directory.EndSession(r.Context(), text); err != nil {
			return err
		}
	}
	s.Cookie.Clear(w, r)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
