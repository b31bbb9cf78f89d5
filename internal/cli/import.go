package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/surface/api"
)

const (
	shownOutcomes = 20 // outcomes that a person is shown one by one
	shownFiles    = 20 // files whose summaries a person is shown one by one: of more, those in which something is amiss
)

// importFiles are the files that names name; of a directory those with objects, or with rules, in it.
func importFiles(names []string, rules bool) (files []string, err error) {
	ends := []string{".json", ".json.gz"}
	if rules {
		ends = ruleEnds
	}
	for _, root := range names {
		if root == "-" {
			files = append(files, root)
			continue
		}
		in, err := under(root, ends...)
		if err != nil {
			return nil, err
		}
		if len(in) == 0 {
			return nil, fault.New(fault.Invalid, "import.empty", "there is no file that ends in %s in %s", strings.Join(ends, " or "), clean(root))
		}
		files = append(files, in...)
	}
	return files, nil
}

func (a *app) importCmd() *cobra.Command {
	var collection, restrict, fallback string
	var events, rules bool
	c := &cobra.Command{
		Use: "import FILE...", Short: "Import STIX objects, events of MISP or Sigma rules", Args: cobra.MinimumNArgs(1),
		Long: `Import STIX objects: bundles, arrays, TAXII envelopes or objects one after another, compressed with gzip or not; - is the standard input.
Of a directory all files that end in .json or .json.gz are taken, with --sigma those that end in .yml or .yaml.
STIX 2.0 is upgraded to 2.1, and what is lost by it is said. What is reported as stored is durable. A file that is cut off or is no JSON changes
nothing. Importing the same file again adds nothing.

Objects that break a rule are refused and do not keep the others out; the exit code is then 1. Objects whose markings contradict each other or
cannot be found go to quarantine.`,
		Example: `  entente object import --data DIR --collection indicators bundle.json
  zcat feed.gz | entente object import --server https://node:8443 --token-file token --collection feed -
  entente object import --data DIR --sigma sigma/rules`,
	}
	c.Flags().StringVar(&collection, "collection", "", "`NAME` of the collection to put them in, its id or alias")
	c.Flags().StringVar(&restrict, "label", "", "`LABEL` to join to every object's own, which it only restricts: tlp:amber")
	c.Flags().StringVar(&fallback, "default-label", "", "`LABEL` of objects without a TLP, instead of the collection's default: tlp:green")
	c.Flags().BoolVar(&rules, "sigma", false, "the files hold Sigma rules: each becomes an indicator, which sensors look for and allies get like any other")
	c.Flags().BoolVar(&events, "misp", false, "the files hold events of MISP; their distribution and tags bound the labels")
	c.MarkFlagsMutuallyExclusive("misp", "sigma")
	return a.onNode(c, func(ctx context.Context, n *api.Client, names []string) error {
		files, err := importFiles(names, rules)
		if err != nil {
			return err
		}
		q := url.Values{}
		if events {
			q.Set("format", "misp")
		}
		if rules {
			q.Set("format", "sigma")
		}
		for name, v := range map[string]string{"collection": collection, "label": restrict, "default": fallback} {
			if v != "" {
				q.Set(name, v)
			}
		}
		if _, err := api.ParseLabel(restrict, false); err != nil {
			return err
		}
		if _, err := api.ParseLabel(fallback, true); err != nil {
			return err
		}
		var all api.Summary
		wrong := false
		for _, name := range files {
			s, err := a.importFile(ctx, n, q, name, len(files) > shownFiles)
			if err != nil && len(files) > 1 {
				a.say("entente: %s:", clean(name))
				if fault.Of(err) == fault.Invalid { // it is about this file alone
					tell(a.err, err)
					wrong, err = true, nil
				}
			}
			if err != nil {
				return err
			}
			all.Add(s)
		}
		if len(files) > 1 && !a.asJSON {
			if err := a.importSummary(count(int64(len(files)))+" files", all); err != nil {
				return err
			}
		}
		if wrong || all.Refused+all.Different > 0 {
			return no()
		}
		return nil
	})
}

// importFile imports one file. Where it is one of many, its summary is only shown if something is amiss.
func (a *app) importFile(ctx context.Context, n *api.Client, q url.Values, name string, ofMany bool) (api.Summary, error) {
	in, closeIn, err := openInput(a.in, name)
	if err != nil {
		return api.Summary{}, err
	}
	defer closeIn()
	total := int64(0)
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			total = info.Size()
		}
	}
	bar := a.progress(name, a.asJSON)
	defer bar.end()
	shown := 0
	s, err := n.Import(ctx, &metered{r: in, total: total, bar: bar}, q, func(e api.Event) {
		switch {
		case e.Progress != nil:
			bar.set("storing", int64(e.Progress.Done), int64(e.Progress.Total), "objects")
		case a.asJSON && (e.Outcome != nil || e.Loss != nil):
			a.line(struct {
				File string `json:"file"`
				api.Event
			}{name, e})
		case e.Outcome != nil:
			if shown++; shown <= shownOutcomes {
				bar.clear()
				a.say("%s: %s: %s", e.Outcome.State, clean(e.Outcome.ID), clean(e.Outcome.Message))
			}
		case e.Loss != nil:
			if shown++; shown <= shownOutcomes {
				bar.clear()
				a.say("lost in the conversion: %s %s: %s", clean(e.Loss.ID), clean(e.Loss.Pointer), clean(e.Loss.Message))
			}
		}
	})
	bar.end()
	if err != nil {
		return s, err
	}
	if a.asJSON {
		return s, a.line(struct {
			File    string      `json:"file"`
			Summary api.Summary `json:"summary"`
		}{name, s})
	}
	if shown > shownOutcomes {
		a.say("… and %s more; --json lists them", count(int64(shown-shownOutcomes)))
	}
	if ofMany && shown == 0 && s.Held+s.Refused+s.Different == 0 {
		return s, nil
	}
	return s, a.importSummary(name, s)
}

// importSummary says what became of the objects of a file.
func (a *app) importSummary(name string, s api.Summary) error {
	_, err := fmt.Fprintf(a.out, "%s: %s objects: %s added, %s present, %s held, %s refused, %s different, in %.1f s\n", clean(name), count(int64(s.Objects)),
		count(int64(s.Added)), count(int64(s.Present)), count(int64(s.Held)), count(int64(s.Refused)), count(int64(s.Different)), s.Seconds)
	if s.Upgraded > 0 && err == nil {
		_, err = fmt.Fprintf(a.out, "%s objects were upgraded from STIX 2.0, with %s losses\n", count(int64(s.Upgraded)), count(int64(s.Losses)))
	}
	return err
}

// metered shows how much of a file was sent.
type metered struct {
	r     io.Reader
	total int64
	done  atomic.Int64
	bar   *bar
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.bar.set("sending", m.done.Add(int64(n)), m.total, "bytes")
	return n, err
}
