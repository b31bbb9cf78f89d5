// Package lists keeps what MISP publishes for everybody, from files on this machine: warning lists, by which values are known to be harmless or
// shared; taxonomies and galaxies, which explain tags; and object templates. They are read at the start of the node, and anew when somebody asks.
package lists

import (
	"cmp"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entente/internal/fault"
	"entente/misp/galaxy"
	"entente/misp/taxonomy"
	"entente/misp/template"
	"entente/misp/warninglist"
)

// Config says where the files are. Names are relative to the data directory.
type Config struct {
	// Files is one directory with the projects as they are published: misp-warninglists, misp-taxonomies, misp-galaxy, misp-objects. Those that are
	// not there are left out.
	Files        string `toml:"misp_files"`
	Warninglists string `toml:"warninglists"` // a directory for each, which comes before that in Files
	Taxonomies   string `toml:"taxonomies"`
	Galaxies     string `toml:"galaxies"`
	Templates    string `toml:"templates"`
}

// Validate says what cannot be.
func (c *Config) Validate() error {
	for at, dir := range map[string]string{"lists.misp_files": c.Files, "lists.warninglists": c.Warninglists, "lists.taxonomies": c.Taxonomies, "lists.galaxies": c.Galaxies, "lists.templates": c.Templates} {
		if strings.ContainsRune(dir, 0) {
			return fault.New(fault.Invalid, "config.value", "%q is no directory", dir).At(at)
		}
	}
	return nil
}

// List is what is known of one warning list.
type List struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Version     int64  `json:"version"`
	Type        string `json:"type"` // how its entries meet a value
	Category    string `json:"category,omitempty"`
	Entries     int    `json:"entries"`
}

// Fault is a file that could not be read, or an entry that was left out.
type Fault struct {
	File    string `json:"file"` // below the directory that the configuration names
	Message string `json:"message"`
}

// Summary is what is loaded.
type Summary struct {
	Loaded     time.Time `json:"loaded"`
	Warnings   []List    `json:"warninglists"`
	Entries    int       `json:"entries"` // of all warning lists
	Taxonomies int       `json:"taxonomies"`
	Galaxies   int       `json:"galaxies"`
	Clusters   int       `json:"clusters"`
	Templates  int       `json:"templates"`
	Faults     []Fault   `json:"faults"` // the first 100
}

// maxFaults bounds the faults that are told.
const maxFaults = 100

// Lists is everything that is loaded. Many goroutines may ask it at once, also while it is read anew: until that is done the answers are those of before.
type Lists struct {
	cfg     Config
	base    string
	log     *slog.Logger
	reading sync.Mutex
	now     atomic.Pointer[set]
}

// set is what was read at one time. It does not change.
type set struct {
	summary    Summary
	warnings   *warninglist.Set
	byName     map[string]*List
	taxonomies []*taxonomy.Taxonomy
	galaxies   []*galaxy.Galaxy
	templates  map[string]*template.Template
}

// Load reads the files. What is wrong with one of them is no reason to do without the others: it stands in the summary. Without a log nobody is told.
func Load(c Config, base string, now time.Time, log *slog.Logger) *Lists {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Lists{cfg: c, base: base, log: log}
	l.Reload(now)
	return l
}

// Reload reads the files anew, and says what is loaded from then on.
func (l *Lists) Reload(now time.Time) Summary {
	l.reading.Lock()
	defer l.reading.Unlock()
	s := read(l.cfg, l.base, now)
	l.now.Store(s)
	if f := s.summary.Faults; len(f) > 0 {
		l.log.Warn("some published lists could not be read", "faults", len(f), "first", f[0].File+": "+f[0].Message)
	}
	return s.summary
}

func read(c Config, base string, now time.Time) *set {
	l := &set{byName: map[string]*List{}, templates: map[string]*template.Template{}, summary: Summary{Loaded: now.UTC().Truncate(time.Millisecond), Warnings: []List{}, Faults: []Fault{}}}
	place := func(own, project, below string) string {
		switch {
		case own != "":
			return absolute(base, own)
		case c.Files != "":
			return filepath.Join(absolute(base, c.Files), project, below)
		}
		return ""
	}
	sought := func(own string) bool { return own != "" }
	l.loadWarnings(place(c.Warninglists, "misp-warninglists", "lists"), sought(c.Warninglists))
	l.walk(place(c.Taxonomies, "misp-taxonomies", ""), sought(c.Taxonomies), "machinetag.json", func(raw []byte) error {
		t, err := taxonomy.Parse(raw)
		if err == nil {
			l.taxonomies = append(l.taxonomies, t)
		}
		return err
	})
	l.walk(place(c.Galaxies, "misp-galaxy", "clusters"), sought(c.Galaxies), "", func(raw []byte) error {
		g, err := galaxy.Parse(raw)
		if err == nil {
			l.galaxies = append(l.galaxies, g)
			l.summary.Clusters += len(g.Clusters)
		}
		return err
	})
	l.walk(place(c.Templates, "misp-objects", "objects"), sought(c.Templates), "definition.json", func(raw []byte) error {
		t, err := template.Parse(raw)
		if err == nil {
			l.templates[t.Name] = t
		}
		return err
	})
	slices.SortFunc(l.taxonomies, func(a, b *taxonomy.Taxonomy) int { return strings.Compare(a.Namespace, b.Namespace) })
	slices.SortFunc(l.galaxies, func(a, b *galaxy.Galaxy) int { return strings.Compare(a.Type, b.Type) })
	l.summary.Taxonomies, l.summary.Galaxies, l.summary.Templates = len(l.taxonomies), len(l.galaxies), len(l.templates)
	return l
}

func absolute(base, dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(base, dir)
}

func (l *set) loadWarnings(dir string, sought bool) {
	var all []*warninglist.List
	l.walk(dir, sought, "list.json", func(raw []byte) error {
		w, err := warninglist.Parse(raw)
		if err == nil {
			all = append(all, w)
		}
		return err
	})
	warnings, errs := warninglist.New(all...)
	for _, err := range errs {
		l.fail("misp-warninglists", err)
	}
	l.warnings, l.summary.Entries = warnings, warnings.Len()
	for _, w := range all {
		l.summary.Warnings = append(l.summary.Warnings, List{w.Name, w.Description, w.Version, w.Type, w.Category, len(w.Entries)})
	}
	slices.SortFunc(l.summary.Warnings, func(a, b List) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(b.Version, a.Version))
	})
	for i := range l.summary.Warnings {
		w := &l.summary.Warnings[i]
		if l.byName[w.Name] == nil {
			l.byName[w.Name] = w
		}
	}
}

func (l *set) fail(file string, err error) {
	if len(l.summary.Faults) < maxFaults {
		l.summary.Faults = append(l.summary.Faults, Fault{file, clip(err.Error(), 300)})
	}
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// Summary is what is loaded, and what could not be.
func (l *Lists) Summary() Summary { return l.now.Load().summary }

// Taxonomies are those that are loaded, by namespace, and not to be changed.
func (l *Lists) Taxonomies() []*taxonomy.Taxonomy { return l.now.Load().taxonomies }

// Galaxies are those that are loaded, by type, and not to be changed.
func (l *Lists) Galaxies() []*galaxy.Galaxy { return l.now.Load().galaxies }

// Templates are the names of the object templates.
func (l *Lists) Templates() []string { return slices.Sorted(maps.Keys(l.now.Load().templates)) }

// Template is the object template of a name.
func (l *Lists) Template(name string) (*template.Template, bool) {
	t, ok := l.now.Load().templates[name]
	return t, ok
}
