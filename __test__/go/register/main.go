// Registers by hand over the published transport, with whatever name, version and pattern it is given, as often as it is
// told, and prints what the engine said to each. Then it stays until the session or its input ends.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	pluginsv1 "github.com/docker/secrets-engine/x/api/plugins/v1"
	"github.com/docker/secrets-engine/x/api/plugins/v1/pluginsv1connect"
	"github.com/docker/secrets-engine/x/ipc"
	"github.com/docker/secrets-engine/x/logging"
)

type result struct {
	Engine  string `json:"engine,omitempty"`
	Version string `json:"version,omitempty"`
	Timeout string `json:"timeout,omitempty"`
	Code    string `json:"code,omitempty"`
	Error   string `json:"error,omitempty"`
	Ended   bool   `json:"ended,omitempty"`
}

func main() {
	socket := flag.String("socket", "", "address to dial")
	name := flag.String("name", "", "name")
	version := flag.String("version", "v1.0.0", "version")
	pattern := flag.String("pattern", "**", "pattern")
	kind := flag.String("kind", "secrets", "`secrets`, `access` or `none`")
	times := flag.Int("times", 1, "how often; 0 never registers")
	flag.Parse()

	out := json.NewEncoder(os.Stdout)
	conn, err := net.Dial("unix", *socket)
	if err != nil {
		out.Encode(result{Error: err.Error()})
		return
	}
	hijacked, err := ipc.Hijackify(conn, 2*time.Second)
	if err != nil {
		out.Encode(result{Error: err.Error()})
		return
	}
	ended := make(chan struct{})
	quiet, _ := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	log := logging.NewDefaultLogger("register", logging.WithOut(quiet))
	_, client, err := ipc.NewClientIPC(log, hijacked, http.NotFoundHandler(), func(error) { close(ended) })
	if err != nil {
		out.Encode(result{Error: err.Error()})
		return
	}
	service := pluginsv1connect.NewRegisterServiceClient(client, "http://unix")
	for range *times {
		message := pluginsv1.RegisterPluginRequest_builder{Name: name, Version: version}
		switch *kind {
		case "secrets":
			message.SecretsProvider = pluginsv1.SecretsProvider_builder{Pattern: proto.String(*pattern)}.Build()
		case "access":
			message.AccessControlModule = pluginsv1.AccessControlModule_builder{}.Build()
		}
		response, err := service.RegisterPlugin(context.Background(), connect.NewRequest(message.Build()))
		if err != nil {
			out.Encode(result{Code: connect.CodeOf(err).String(), Error: err.Error()})
			continue
		}
		out.Encode(result{
			Engine: response.Msg.GetEngineName(), Version: response.Msg.GetEngineVersion(),
			Timeout: response.Msg.GetRequestTimeout().AsDuration().String(),
		})
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	<-ended
	out.Encode(result{Ended: true})
}
