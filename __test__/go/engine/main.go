// The engine's side of a plugin session, made of Docker's published modules: it listens on -socket, takes plugins that dial
// /hijack or launches those that are its arguments, and answers GetSecrets by asking each of them. It prints one line of JSON
// for each registration, and does what it reads from standard input: `health NAME`, `shutdown NAME`. With -deaf it answers
// nothing, and prints what comes.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/docker/secrets-engine/x/api"
	pluginsv1 "github.com/docker/secrets-engine/x/api/plugins/v1"
	"github.com/docker/secrets-engine/x/api/plugins/v1/pluginsv1connect"
	"github.com/docker/secrets-engine/x/api/resolver"
	"github.com/docker/secrets-engine/x/api/resolver/v1/resolverv1connect"
	"github.com/docker/secrets-engine/x/ipc"
	"github.com/docker/secrets-engine/x/logging"
	"github.com/docker/secrets-engine/x/secrets"
)

type message struct {
	Event   string `json:"event"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	Pattern string `json:"pattern,omitempty"`
	Text    string `json:"text,omitempty"`
}

type session struct {
	name    string
	pattern secrets.Pattern
	client  *http.Client
	closer  io.Closer
}

type engine struct {
	mutex    sync.Mutex
	out      *json.Encoder
	sessions map[string]*session
}

var quiet, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
var log = logging.NewDefaultLogger("engine", logging.WithOut(quiet))

func main() {
	socket := flag.String("socket", "", "where to listen")
	deaf := flag.Bool("deaf", false, "answer nothing, and print what comes")
	flag.Parse()
	e := &engine{out: json.NewEncoder(os.Stdout), sessions: map[string]*session{}}

	mux := http.NewServeMux()
	mux.Handle(ipc.NewHijackAcceptor(log, func(_ context.Context, conn io.ReadWriteCloser) { <-e.serve(conn, "") }))
	mux.Handle(resolverv1connect.NewResolverServiceHandler(resolver.NewResolverHandler(e)))
	listener, err := net.Listen("unix", *socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	e.print(message{Event: "listening"})
	if *deaf {
		e.listenOnly(listener)
	}
	for _, path := range flag.Args() {
		if err := e.launch(path); err != nil {
			e.print(message{Event: "failed", Text: err.Error()})
		}
	}
	go e.commands(listener)
	http.Serve(listener, mux)
}

func (e *engine) print(m message) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.out.Encode(m)
}

// listenOnly prints the first bytes of each connection, and keeps it.
func (e *engine) listenOnly(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			e.print(message{Event: "failed", Text: err.Error()})
			return
		}
		go func() {
			bytes := make([]byte, 1024)
			count, _ := conn.Read(bytes)
			e.print(message{Event: "read", Text: string(bytes[:count])})
		}()
	}
}

// launch starts a plugin as Docker's engine does: the socket as descriptor 3, its facts in the one variable.
func (e *engine) launch(path string) error {
	command := exec.Command(path)
	conn, peer, err := ipc.NewConnectionPair(command)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	config := ipc.PluginConfigFromEngine{
		Name: name, RegistrationTimeout: api.DefaultPluginRegistrationTimeout, Custom: peer.ToCustomCfg(),
	}
	text, err := config.ToString()
	if err != nil {
		return err
	}
	command.Env = []string{api.PluginLaunchedByEngineVar + "=" + text, "PATH=" + os.Getenv("PATH")}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return err
	}
	peer.Close()
	ended := e.serve(conn, name)
	go func() {
		command.Wait()
		<-ended
		e.print(message{Event: "exited", Name: name, Text: command.ProcessState.String()})
	}()
	return nil
}

// serve runs one session; the channel is closed at its end.
func (e *engine) serve(conn io.ReadWriteCloser, launched string) <-chan struct{} {
	ended := make(chan struct{})
	s := &session{}
	ready := make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle(pluginsv1connect.NewRegisterServiceHandler(&registrar{e, s, launched, ready}))
	closer, client, err := ipc.NewServerIPC(log, conn, mux, func(err error) {
		e.mutex.Lock()
		if e.sessions[s.name] == s {
			delete(e.sessions, s.name)
		}
		e.mutex.Unlock()
		text := ""
		if err != nil && !errors.Is(err, io.EOF) {
			text = err.Error()
		}
		e.print(message{Event: "ended", Name: s.name, Text: text})
		close(ended)
	})
	if err != nil {
		e.print(message{Event: "failed", Text: err.Error()})
		close(ended)
		return ended
	}
	s.client, s.closer = client, closer
	close(ready)
	return ended
}

type registrar struct {
	engine   *engine
	session  *session
	launched string
	ready    <-chan struct{}
}

func (r *registrar) RegisterPlugin(
	_ context.Context, request *connect.Request[pluginsv1.RegisterPluginRequest],
) (*connect.Response[pluginsv1.RegisterPluginResponse], error) {
	<-r.ready
	name, version := request.Msg.GetName(), request.Msg.GetVersion()
	text := request.Msg.GetSecretsProvider().GetPattern()
	if _, err := api.NewVersion(version); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	pattern, err := secrets.ParsePattern(text)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	if r.launched != "" && r.launched != name {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("a launched plugin may not change its name"))
	}
	r.engine.mutex.Lock()
	_, taken := r.engine.sessions[name]
	if !taken {
		r.session.name, r.session.pattern = name, pattern
		r.engine.sessions[name] = r.session
	}
	r.engine.mutex.Unlock()
	if taken {
		return nil, connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("the name %q is taken", name))
	}
	r.engine.print(message{Event: "registered", Name: name, Version: version, Pattern: text})
	return connect.NewResponse(pluginsv1.RegisterPluginResponse_builder{
		EngineName: proto.String("go-engine"), EngineVersion: proto.String("v0.0.1"),
	}.Build()), nil
}

// GetSecrets asks every plugin whose pattern includes the asked one, or is included.
func (e *engine) GetSecrets(ctx context.Context, pattern secrets.Pattern) ([]secrets.Envelope, error) {
	e.mutex.Lock()
	var asked []*session
	for _, s := range e.sessions {
		if s.pattern.Includes(pattern) || pattern.Includes(s.pattern) {
			asked = append(asked, s)
		}
	}
	e.mutex.Unlock()
	var all []secrets.Envelope
	for _, s := range asked {
		found, err := resolver.NewResolverClient(s.client).GetSecrets(ctx, pattern)
		if err != nil && !errors.Is(err, secrets.ErrNotFound) {
			return nil, err
		}
		for _, envelope := range found {
			envelope.Provider = s.name
			all = append(all, envelope)
		}
	}
	return all, nil
}

func (e *engine) commands(listener net.Listener) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, name, _ := strings.Cut(lines.Text(), " ")
		e.mutex.Lock()
		s := e.sessions[name]
		e.mutex.Unlock()
		if s == nil {
			e.print(message{Event: command, Name: name, Text: "no such plugin"})
			continue
		}
		e.print(message{Event: command, Name: name, Text: e.command(command, s)})
	}
	listener.Close()
	os.Exit(0)
}

func (e *engine) command(command string, s *session) string {
	switch command {
	case "health":
		response, err := s.client.Get("http://unix/health")
		if err != nil {
			return err.Error()
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return fmt.Sprintf("%d %s", response.StatusCode, text)
	case "shutdown":
		client := pluginsv1connect.NewPluginServiceClient(s.client, "http://unix")
		if _, err := client.Shutdown(context.Background(), connect.NewRequest(&pluginsv1.ShutdownRequest{})); err != nil {
			return err.Error()
		}
		return "ok"
	}
	return "no such command"
}
