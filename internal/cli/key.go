package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/keyring"
	"entente/internal/surface/api"
	"entente/keylog"
)

func (a *app) keyCmd() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "See, replace and revoke the keys of the nation, and keep its root elsewhere",
		Long: "See, replace and revoke the keys of the nation, and keep its root elsewhere. Every change is a statement of the nation's key log, which partners mirror; the nation's root signs it: see docs/keys.md."}
	c.AddCommand(a.listKeysCmd(), a.rotateKeyCmd(), a.revokeKeyCmd(), a.compromiseKeyCmd(), a.moveNodeCmd(), a.keyLogCmd(), a.exportRootCmd(),
		a.requestKeysCmd(), a.admitKeysCmd(), a.joinLogCmd(), a.newKeyCmd(), a.personKeyCmd(), a.signOfflineCmd(), a.rootKeyCmd())
	return c
}

// keyBook shows the keys as they are.
func (a *app) keyBook(b api.KeyBook) error {
	if a.asJSON {
		return a.line(b)
	}
	root := "elsewhere"
	if b.HasRoot {
		root = "at this node"
	}
	if err := a.fields("nation", b.Nation, "realm", b.Realm, "fingerprint", b.Words, "statements", strconv.FormatInt(b.Statements, 10),
		"root", fmt.Sprintf("%d of %d keys, %s", b.Need, len(b.Roots), root)); err != nil {
		return err
	}
	var rows [][]string
	for _, k := range b.Keys {
		var roles []string
		for _, r := range k.Roles {
			roles = append(roles, string(r))
		}
		state := "counts until " + when(k.NotAfter)
		switch {
		case !k.Compromised.IsZero():
			state = "compromised since " + when(k.Compromised) + ": " + k.Reason
		case !k.Until.IsZero():
			state = "until " + when(k.Until)
			if k.Replaced != "" {
				state += ", replaced by " + k.Replaced[:12]
			}
		case k.Due:
			state = "ends " + when(k.NotAfter) + ": replace it now"
		case k.NotAfter.IsZero():
			state = "counts"
		}
		of := k.Org
		if k.Holder != "" {
			of += ", person " + k.Holder
		}
		rows = append(rows, []string{k.ID, of, strings.Join(roles, ","), k.Address, state})
	}
	return a.table([]string{"KEY", "ORGANISATION", "ROLES", "ADDRESS", "STATE"}, rows)
}

// fullKey finds a key by the beginning of its id.
func fullKey(ctx context.Context, n *api.Client, start string) (string, error) {
	b, err := n.Keys(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, k := range b.Keys {
		ids = append(ids, k.ID)
	}
	return oneKey(ids, start)
}

func (a *app) listKeysCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the keys of the nation", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		b, err := n.Keys(ctx)
		if err != nil {
			return err
		}
		return a.keyBook(b)
	})
}

func (a *app) rotateKeyCmd() *cobra.Command {
	overlap := 14 * 24 * time.Hour
	var draft bool
	c := &cobra.Command{Use: "rotate ROLE", Short: "Replace the node's key for a role: accord, node, originate or release", Args: cobra.ExactArgs(1),
		Example: "  entente key rotate --data DIR node --overlap 336h"}
	c.Flags().DurationVar(&overlap, "overlap", overlap, "for how long the old key counts beside the new one, in whole hours; in the middle of it the new one begins to sign")
	c.Flags().BoolVar(&draft, "draft", false, "print a draft for the holders of a root that is elsewhere, instead of signing with the root")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if overlap%time.Hour != 0 {
			return usage("--overlap is a number of whole hours, such as 336h")
		}
		if draft {
			return n.DraftRotation(ctx, keylog.Role(args[0]), int(overlap/time.Hour), a.out)
		}
		b, err := n.RotateKey(ctx, keylog.Role(args[0]), int(overlap/time.Hour))
		if err != nil {
			return err
		}
		return a.keyBook(b)
	})
}

func (a *app) revokeKeyCmd() *cobra.Command {
	var reason, from string
	c := &cobra.Command{Use: "revoke KEY --reason TEXT", Short: "State that a key counts no longer", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` that partners read")
	c.Flags().StringVar(&from, "from", "", "`TIME` (RFC 3339) from which on; now without")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		at, err := atTime("--from", from)
		if err != nil {
			return err
		}
		id, err := fullKey(ctx, n, args[0])
		if err != nil {
			return err
		}
		b, err := n.RevokeKey(ctx, id, at, reason)
		if err != nil {
			return err
		}
		return a.keyBook(b)
	})
}

func (a *app) compromiseKeyCmd() *cobra.Command {
	var reason, since string
	c := &cobra.Command{Use: "compromise KEY --since TIME --reason TEXT", Short: "State since when a key is in other hands, and replace it", Args: cobra.ExactArgs(1),
		Long: "State since when a key is in other hands. Partners put into quarantine what it signed from then on. A key of this node is replaced at once."}
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` that partners read")
	c.Flags().StringVar(&since, "since", "", "`TIME` (RFC 3339)")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		at, err := atTime("--since", since)
		if err != nil {
			return err
		}
		if at.IsZero() {
			return usage("since when? Give --since TIME")
		}
		id, err := fullKey(ctx, n, args[0])
		if err != nil {
			return err
		}
		b, err := n.CompromiseKey(ctx, id, at, reason)
		if err != nil {
			return err
		}
		return a.keyBook(b)
	})
}

func atTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage("%s %q is not a time such as 2026-03-01T08:00:00Z", flag, text)
	}
	return at, nil
}

func (a *app) moveNodeCmd() *cobra.Command {
	c := &cobra.Command{Use: "address KEY HOST:PORT", Short: "State where the node of a key is reached", Args: cobra.ExactArgs(2)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		id, err := fullKey(ctx, n, args[0])
		if err != nil {
			return err
		}
		b, err := n.MoveNode(ctx, id, args[1])
		if err != nil {
			return err
		}
		return a.keyBook(b)
	})
}

func (a *app) keyLogCmd() *cobra.Command {
	c := &cobra.Command{Use: "log", Short: "Print the nation's key log, with its signatures", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error { return n.KeyLog(ctx, a.out) })
}

func (a *app) exportRootCmd() *cobra.Command {
	realm := keyring.Operational
	c := &cobra.Command{Use: "export-root FILE --data DIR", Short: "Move the nation's root key out of the node", Args: cobra.ExactArgs(1),
		Long: "Write the nation's root key to a new file, check it, and remove it from the node, which may go on running. Keep the file where no network reaches: whoever has it speaks for the nation, and without it no key can be replaced or revoked. " +
			"To use it, copy it back to keys/root.json of the data directory, readable by its owner alone, and export it again afterwards."}
	a.dataFlag(c)
	c.Flags().StringVar(&realm, "realm", realm, "`REALM` of the node")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if a.conn.data == "" {
			return usage("which node? Give --data DIR, or set ENTENTE_DATA")
		}
		ring, err := keyring.Open(a.conn.data, realm, time.Now)
		if err != nil {
			return err
		}
		path, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		if err := ring.ExportRoot(path); err != nil {
			return err
		}
		if a.asJSON {
			return a.line(map[string]any{"file": path})
		}
		_, err = fmt.Fprintf(a.out, "the root key of %s is in %s, and no longer at the node\n", ring.Names().Nation, clean(path))
		return err
	}
	return c
}

// readCard reads a card from a file, or from the standard input for -.
func (a *app) readCard(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(a.in, 16<<20+1))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 16<<20+1))
}
