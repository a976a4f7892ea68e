// Docker's published Go client as a command for tests. One subcommand in the arguments is answered with one line of JSON;
// without one, each line of standard input is a subcommand, all with the same client:
//
//	client -socket PATH get PATTERN
//	client -socket PATH list | enable NAME | disable NAME | version
//
// Without -socket it dials its own default address, or with -engine-socket what `docker pass run` dials.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/docker/secrets-engine/client"
	"github.com/docker/secrets-engine/x/api"
)

type envelope struct {
	ID         string            `json:"id"`
	Value      []byte            `json:"value"` // base64
	Length     int               `json:"length"`
	Provider   string            `json:"provider"`
	Version    string            `json:"version"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	CreatedAt  string            `json:"createdAt"` // empty for Go's zero time
	ResolvedAt string            `json:"resolvedAt"`
	ExpiresAt  string            `json:"expiresAt"`
}

type plugin struct {
	Name          string `json:"name"`
	Version       string `json:"version"`
	Disabled      bool   `json:"disabled"`
	External      bool   `json:"external"`
	Configurable  bool   `json:"configurable"`
	RunStatus     string `json:"runStatus"`
	StatusMessage string `json:"statusMessage"`
	Kind          string `json:"kind"`
	Pattern       string `json:"pattern,omitempty"`
}

type answer struct {
	Envelopes []envelope `json:"envelopes,omitempty"`
	Plugins   []plugin   `json:"plugins,omitempty"`
	Version   string     `json:"version,omitempty"`
	Commit    string     `json:"commit,omitempty"`
	Date      string     `json:"date,omitempty"`
	Error     string     `json:"error,omitempty"`
	Code      string     `json:"code,omitempty"`
	// What a Go program asks of an error.
	NotFound     bool  `json:"notFound"`
	NotAvailable bool  `json:"notAvailable"`
	Milliseconds int64 `json:"milliseconds"`
}

func main() {
	socket := flag.String("socket", "", "address of the engine; by default the client's own")
	engine := flag.Bool("engine-socket", false, "dial Docker's engine.sock")
	response := flag.Duration("response-timeout", -1, "limit until the head of an answer is there; 0 is none")
	timeout := flag.Duration("timeout", 0, "limit of a whole request; 0 is none")
	raw := flag.Bool("raw-pattern", false, "send the pattern as it is, without checking it first")
	flag.Parse()

	options := []client.Option{client.WithTimeout(*timeout)}
	if *engine {
		*socket = api.DefaultSocketPath()
	}
	if *socket != "" {
		options = append(options, client.WithSocketPath(*socket))
	}
	if *response >= 0 {
		options = append(options, client.WithResponseTimeout(*response))
	}
	c, err := client.New(options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	out := json.NewEncoder(os.Stdout)
	if flag.NArg() > 0 {
		out.Encode(ask(c, *raw, flag.Args()))
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		out.Encode(ask(c, *raw, strings.Fields(lines.Text())))
	}
}

func ask(c client.Client, raw bool, args []string) (a answer) {
	began := time.Now()
	err := run(c, raw, args, &a)
	a.Milliseconds = time.Since(began).Milliseconds()
	if err != nil {
		a.Error = err.Error()
		a.NotFound = errors.Is(err, client.ErrSecretNotFound)
		a.NotAvailable = errors.Is(err, client.ErrSecretsEngineNotAvailable)
		var wire *connect.Error
		if errors.As(err, &wire) {
			a.Code = wire.Code().String()
		}
	}
	return a
}

func run(c client.Client, raw bool, args []string, a *answer) error {
	ctx := context.Background()
	command, argument := args[0], ""
	if len(args) > 1 {
		argument = args[1]
	}
	if command == "get" {
		return get(ctx, c, raw, argument, a)
	}
	if command == "version" {
		version, err := c.Version(ctx)
		if err != nil {
			return err
		}
		a.Version, a.Commit, a.Date = version.Version.String(), version.CommitHash, version.Date
		return nil
	}
	management, err := client.PluginManagementFromClient(c)
	if err != nil {
		return err
	}
	switch command {
	case "list":
		return list(ctx, management, a)
	case "enable":
		return management.EnablePlugin(ctx, argument)
	case "disable":
		return management.DisablePlugin(ctx, argument)
	}
	return fmt.Errorf("no subcommand %q", command)
}

// rawPattern is a pattern that nobody checked, as a program in another language may send it.
type rawPattern struct {
	client.Pattern
	text string
}

func (p rawPattern) String() string { return p.text }

func get(ctx context.Context, c client.Client, raw bool, text string, a *answer) error {
	var pattern client.Pattern = rawPattern{text: text}
	if !raw {
		var err error
		if pattern, err = client.ParsePattern(text); err != nil {
			return err
		}
	}
	found, err := c.GetSecrets(ctx, pattern)
	if err != nil {
		return err
	}
	for _, e := range found {
		a.Envelopes = append(a.Envelopes, envelope{
			ID: e.ID.String(), Value: e.Value, Length: len(e.Value), Provider: e.Provider, Version: e.Version,
			Metadata: e.Metadata, CreatedAt: stamp(e.CreatedAt), ResolvedAt: stamp(e.ResolvedAt), ExpiresAt: stamp(e.ExpiresAt),
		})
	}
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func list(ctx context.Context, management client.PluginManagement, a *answer) error {
	found, err := management.ListPlugins(ctx)
	if err != nil {
		return err
	}
	for _, info := range found {
		p := plugin{
			Name: info.Name.String(), Version: info.Version.String(), Disabled: info.Disabled, External: info.External,
			Configurable: info.Configurable, RunStatus: info.RunStatus.String(), StatusMessage: info.StatusMessage,
		}
		switch {
		case info.SecretsProvider != nil:
			p.Kind, p.Pattern = "secrets", info.SecretsProvider.Pattern.String()
		case info.AccessControlModule != nil:
			p.Kind = "access control"
		}
		a.Plugins = append(a.Plugins, p)
	}
	sort.Slice(a.Plugins, func(i, j int) bool { return a.Plugins[i].Name < a.Plugins[j].Name })
	return nil
}
