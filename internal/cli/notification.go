package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/notify"
	"entente/internal/surface/api"
)

// maxDraft bounds a text that is read from a file.
const maxDraft = 1 << 20

func (a *app) notificationCmd() *cobra.Command {
	c := &cobra.Command{Use: "notification", Short: "See, write and send notifications to constituents",
		Long: "Notifications are drafted by the node, in the language of their contact and under the label of what they tell. A person sends them, and not the one who wrote into them last. See docs/notifications.md."}
	c.AddCommand(a.notificationList(), a.notificationShow(), a.notificationEdit(), a.notificationSend(), a.notificationDiscard(), a.channelList())
	return c
}

func (a *app) notificationList() *cobra.Command {
	var states []string
	var constituent, severity, sort string
	c := &cobra.Command{Use: "list", Short: "List notifications", Args: cobra.NoArgs}
	c.Flags().StringSliceVar(&states, "state", nil, "only those that are draft, withheld, approved, sent, failed or discarded")
	c.Flags().StringVar(&constituent, "constituent", "", "only those to the constituent with this `ID`")
	c.Flags().StringVar(&severity, "severity", "", "only those of this severity and above: low, medium, high or critical")
	c.Flags().StringVar(&sort, "sort", "newest", "newest first, or severity: the most severe and of those the newest")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"NOTIFICATION", "CREATED", "STATE", "SEVERITY", "TLP", "CONSTITUENT", "TO", "SUBJECT"}, func(each func(notify.Notification) error) error {
			return n.Notifications(ctx, about(states, constituent, severity, sort), each)
		}, func(v notify.Notification) []string {
			return []string{v.ID, when(v.Created), string(v.State), string(v.Severity), v.TLP, short(v.Name, 30), short(v.Address, 40), short(v.Subject+v.Reason, 60)}
		})
	})
}

func (a *app) notificationShow() *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a notification", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.Notification(ctx, args[0])
		if err != nil {
			return err
		}
		return a.showNotification(v)
	})
}

func (a *app) notificationEdit() *cobra.Command {
	var subject, file string
	c := &cobra.Command{Use: "edit ID", Short: "Write into a draft", Args: cobra.ExactArgs(1),
		Long: "Replace the subject or the text of a draft. The label and what the reader must observe stand around the text and are not edited. Who writes into a draft last does not send it."}
	c.Flags().StringVar(&subject, "subject", "", "the new `TEXT` of the subject; without it the subject stays")
	c.Flags().StringVar(&file, "text", "", "`FILE` with the new text, - for standard input; without it the text stays")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if subject == "" && file == "" {
			return usage("what is to change? Give --subject or --text")
		}
		v, err := n.Notification(ctx, args[0])
		if err != nil {
			return err
		}
		in := notify.EditNotification{Subject: v.Subject, Text: v.Text, Edition: v.Edition}
		if subject != "" {
			in.Subject = subject
		}
		if file != "" {
			if in.Text, err = a.readText(file); err != nil {
				return err
			}
		}
		if v, err = n.EditNotification(ctx, args[0], in); err != nil {
			return err
		}
		return a.showNotification(v)
	})
}

func (a *app) readText(name string) (string, error) {
	r := io.Reader(a.in)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", usage("cannot read %s: %v", name, err)
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxDraft))
	if err != nil {
		return "", usage("cannot read %s: %v", name, err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n"), nil
}

func (a *app) notificationSend() *cobra.Command {
	var channel string
	var dry bool
	c := &cobra.Command{Use: "send ID", Short: "Let a notification go", Args: cobra.ExactArgs(1),
		Long: "Let a notification go as it is now. It is sent as soon as its channel takes it and, where it is not urgent, the contact's duty hours have begun. With --dry-run the message that would leave is printed and nothing is sent."}
	c.Flags().StringVar(&channel, "channel", "", "`NAME` of the channel; without it the first that reaches the address")
	c.Flags().BoolVar(&dry, "dry-run", false, "print exactly what would leave")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.Notification(ctx, args[0])
		if err != nil {
			return err
		}
		in := notify.SendNotification{Edition: v.Edition, Channel: channel}
		if dry {
			p, err := n.PreviewNotification(ctx, args[0], in)
			if err != nil {
				return err
			}
			if a.asJSON {
				return a.line(p)
			}
			for name, value := range p.Headers {
				fmt.Fprintf(a.out, "%s: %s\n", name, value)
			}
			_, err = io.WriteString(a.out, strings.ReplaceAll(p.Body, "\r\n", "\n"))
			return err
		}
		if v, err = n.SendNotification(ctx, args[0], in); err != nil {
			return err
		}
		return a.showNotification(v)
	})
}

func (a *app) notificationDiscard() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "discard ID", Short: "End a notification that has not left", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&reason, "reason", "", "why nobody is told (required)")
	_ = c.MarkFlagRequired("reason")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.DiscardNotification(ctx, args[0], reason)
		if err != nil {
			return err
		}
		return a.showNotification(v)
	})
}

func (a *app) channelList() *cobra.Command {
	var check bool
	c := &cobra.Command{Use: "channels", Short: "List the ways on which notifications leave, and how they are", Args: cobra.NoArgs}
	c.Flags().BoolVar(&check, "check", false, "ask each whether it is there, now")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"NAME", "KIND", "STATE", "WAITING", "LAST SUCCESS", "LAST FAULT", "WHAT IT WAS"}, over(n.Channels(ctx, check)), func(v notify.ChannelView) []string {
			return []string{v.Name, string(v.Kind), v.State, strconv.Itoa(v.Waiting), when(v.Succeeded), when(v.Failed), short(v.Error, 80)}
		})
	})
}

func (a *app) showNotification(v notify.Notification) error {
	if a.asJSON {
		return a.line(v)
	}
	attempts := ""
	if v.Attempts > 0 {
		attempts = strconv.Itoa(v.Attempts)
	}
	if err := a.fields("id", v.ID, "kind", string(v.Kind), "state", string(v.State), "reason", v.Reason, "constituent", v.Name+" ("+v.Constituent+")", "contact", v.Contact, "to", v.Address,
		"encrypted", v.Sealed, "language", v.Language, "severity", string(v.Severity), "alerts", strings.Join(v.Alerts, ", "), "edition", strconv.Itoa(v.Edition), "written by", v.Editor,
		"approved by", v.Sender, "channel", v.Channel, "attempts", attempts, "next", when(v.Next), "error", v.Error, "sent", when(v.Sent)); err != nil {
		return err
	}
	if v.Text == "" {
		return nil
	}
	fmt.Fprintf(a.out, "\n[%s] %s\n\n", v.TLP, clean(v.Subject))
	for line := range strings.Lines(v.TLP + "\n\n" + v.Text + "\n" + v.Handling + "\n" + v.TLP + "\n") {
		fmt.Fprintln(a.out, clean(strings.TrimSuffix(line, "\n")))
	}
	return nil
}
