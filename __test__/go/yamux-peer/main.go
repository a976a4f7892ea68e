// HashiCorp's yamux at the other end of a Unix socket, for __test__/yamux/interop.spec.ts.
//
//	yamux-peer [-keepalive MS] client|server PATH
//
// dials PATH. Each stream that it accepts begins with a line: `echo` sends everything back, `count` answers with the
// length and the SHA-256 of what came, `give N` sends N bytes, whatever comes, `hang` reads nothing. On standard input
// it takes `open COUNT BYTES` (opens streams at once, each of which expects its bytes back), `ping`, `streams`, `goaway` and
// `close`, and answers each with a line.
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

func main() {
	keepAlive := flag.Int("keepalive", 30_000, "milliseconds between pings")
	flag.Parse()
	conn, err := net.Dial("unix", flag.Arg(1))
	if err != nil {
		fail(err)
	}
	config := yamux.DefaultConfig()
	config.LogOutput = os.Stderr
	config.KeepAliveInterval = time.Duration(*keepAlive) * time.Millisecond
	open := yamux.Server
	if flag.Arg(0) == "client" {
		open = yamux.Client
	}
	session, err := open(conn, config)
	if err != nil {
		fail(err)
	}
	go serve(session)
	go func() {
		<-session.CloseChan()
		fmt.Println("closed")
		os.Exit(0)
	}()
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "open":
			fmt.Println(openMany(session, number(words[1]), number(words[2])))
		case "ping":
			_, err := session.Ping()
			fmt.Println("ping", err)
		case "streams":
			fmt.Println("streams", session.NumStreams())
		case "goaway":
			fmt.Println("goaway", session.GoAway())
		case "close":
			session.Close()
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fail(err)
	}
	return n
}

func serve(session *yamux.Session) {
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go func() {
			if err := answer(stream); err != nil {
				fmt.Println("stream:", err)
			}
		}()
	}
}

func answer(stream *yamux.Stream) error {
	reader := bufio.NewReader(stream)
	line, err := reader.ReadString('\n')
	if err != nil {
		return err
	}
	switch words := strings.Fields(line); words[0] {
	case "echo":
		_, err = io.Copy(stream, reader)
	case "count":
		hash := sha256.New()
		var n int64
		if n, err = io.Copy(hash, reader); err == nil {
			_, err = fmt.Fprintf(stream, "%d %x", n, hash.Sum(nil))
		}
	case "give":
		_, err = io.CopyN(stream, zeros{}, int64(number(words[1])))
	case "hang":
		<-make(chan struct{})
	}
	return errors.Join(err, stream.Close())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func openMany(session *yamux.Session, count, size int) string {
	var all sync.WaitGroup
	failures := make(chan error, count)
	for range count {
		all.Go(func() { failures <- openOne(session, size) })
	}
	all.Wait()
	good := 0
	for range count {
		if err := <-failures; err != nil {
			return err.Error()
		}
		good++
	}
	return fmt.Sprint("ok ", good)
}

func openOne(session *yamux.Session, size int) error {
	stream, err := session.OpenStream()
	if err != nil {
		return err
	}
	sent := make([]byte, size)
	rand.Read(sent)
	go func() {
		stream.Write(sent)
		stream.Close() // closes this side only
	}()
	back, err := io.ReadAll(stream)
	if err == nil && !bytes.Equal(sent, back) {
		err = fmt.Errorf("%d bytes came back for %d, or others", len(back), size)
	}
	return err
}
