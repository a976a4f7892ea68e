// A plugin built on Docker's published Go module, which does what its flags say. It dials -socket (without one, the
// module's own default address), or is launched by an engine. Each event is one line on standard output and in the file
// of -log: `registered`, `asked PATTERN`, `cancelled PATTERN`, `checked PATTERN by PROGRAM`, `ended ERROR`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/docker/secrets-engine/plugin"
	"github.com/docker/secrets-engine/x/api/accesscontrol"
)

var (
	socket  = flag.String("socket", "", "address to dial; by default the module's own")
	name    = flag.String("name", "", "name; by default that of the program")
	version = flag.String("version", "v1.0.0", "version")
	pattern = flag.String("pattern", "**", "pattern")
	access  = flag.String("access", "", "be an access control module that says `allow` or `deny`")

	file   = flag.String("secrets", "", "JSON `file` with the secrets")
	count  = flag.Int("count", 0, "answer with so many more, `many/<n>`")
	loose  = flag.Bool("loose", false, "answer with all secrets, whatever is asked")
	echo   = flag.Bool("echo", false, "answer each id with itself as its value")
	delay  = flag.Duration("delay", 0, "wait before an answer")
	deaf   = flag.Bool("deaf", false, "wait even when nobody waits for the answer any more")
	fail   = flag.String("fail", "", "fail with this `message`")
	panics = flag.Bool("panic", false, "panic instead of answering")

	exitAfter = flag.Int("exit-after", 0, "exit with status 3 in the request after so many answers")
	dropAfter = flag.Int("drop-after", 0, "cut the connection in the request after so many answers")
	cutAnswer = flag.Int("cut-answer", 0, "exit with status 3 when so many `bytes` of the first answer are written")
	reconnect = flag.Bool("reconnect", false, "dial again whenever the session has ended")
	stubborn  = flag.Bool("stubborn", false, "stay after Shutdown, SIGINT and SIGTERM")
	leak      = flag.Int("leak", 0, "open so many `descriptors` for each request")
	noise     = flag.Int("noise", 0, "write so many `bytes` to standard error for each request")
	logFile   = flag.String("log", "", "also write events to this `file`")
)

func main() {
	flag.Parse()
	if *stubborn {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	}
	for {
		err := run()
		event("ended %v", err)
		if *stubborn {
			select {}
		}
		if !*reconnect {
			if err != nil {
				os.Exit(1)
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func run() error {
	var options []plugin.ManualLaunchOption
	if *name != "" {
		options = append(options, plugin.WithPluginName(*name))
	}
	// Of a launched plugin the module looks at no option, but what makes an option would run.
	var conn *cutConn
	if *socket != "" && os.Getenv("DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG") == "" {
		dialled, err := net.Dial("unix", *socket)
		if err != nil {
			return err
		}
		conn = &cutConn{Conn: dialled}
		options = append(options, plugin.WithConnection(conn))
	}
	parsedVersion, err := plugin.NewVersion(*version)
	if err != nil {
		return err
	}
	config := plugin.Config{Version: parsedVersion, Logger: logger{}}
	var stub plugin.Stub
	if *access != "" {
		config.AccessControlConfig = &plugin.AccessControlConfig{}
		stub, err = plugin.NewAccessControlModule(gate{*access == "allow"}, config, options...)
	} else {
		var parsed plugin.Pattern
		if parsed, err = plugin.ParsePattern(*pattern); err != nil {
			return err
		}
		config.SecretsProviderConfig = &plugin.SecretsProviderConfig{Pattern: parsed}
		var secrets []plugin.Envelope
		if secrets, err = readSecrets(*file, *count); err != nil {
			return err
		}
		stub, err = plugin.NewSecretsProvider(&provider{secrets: secrets, conn: conn}, config, options...)
	}
	if err != nil {
		return err
	}
	ctx, stop := context.Background(), func() {}
	if !*stubborn {
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	}
	defer stop()
	err = stub.Run(ctx)
	if ctx.Err() != nil {
		*reconnect = false
	}
	return err
}

// gate is an access control module.
type gate struct{ allow bool }

func (g gate) CheckAccess(_ context.Context, request accesscontrol.CheckAccessRequest) (bool, error) {
	event("checked %s by %s %d %s", request.Pattern, request.Name, request.PID, request.AbsoluteBinaryPath)
	if *fail != "" {
		return false, errors.New(*fail)
	}
	return g.allow, nil
}

// cutConn can end the process, or itself, in the middle of an answer.
type cutConn struct {
	net.Conn
	mutex sync.Mutex
	armed bool
	left  int
}

// arm lets only so many more bytes out.
func (c *cutConn) arm(bytes int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.armed, c.left = true, bytes
}

func (c *cutConn) Write(bytes []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.armed && len(bytes) >= c.left {
		c.Conn.Write(bytes[:c.left])
		os.Exit(3)
	}
	c.left -= len(bytes)
	return c.Conn.Write(bytes)
}

func (c *cutConn) CloseWrite() error {
	return c.Conn.(*net.UnixConn).CloseWrite()
}

// logger passes on the one line that tests wait for: the module logs a stack trace with each error.
type logger struct{}

func (logger) Printf(format string, v ...any) {
	if format == "Plugin %s registered successfully" {
		event("registered")
	}
}
func (logger) Warnf(string, ...any)  {}
func (logger) Errorf(string, ...any) {}

var events sync.Mutex

func event(format string, v ...any) {
	events.Lock()
	defer events.Unlock()
	line := fmt.Sprintf(format, v...) + "\n"
	io.WriteString(os.Stdout, line)
	if *logFile == "" {
		return
	}
	if f, err := os.OpenFile(*logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		io.WriteString(f, line)
		f.Close()
	}
}
