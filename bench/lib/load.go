// Puts a load on a server. For each line on standard input,
//
//	{"socket": PATH, "request": BASE64, "connections": N, "milliseconds": MS}
//
// it tells in a line how many requests a second were answered, and how long they took, in microseconds. Each connection
// asks again as soon as it has its answer. No program of Node: of a request at one connection it would be the half. Sockets
// that block: a wait for one of them costs nothing but the system's own waking.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

type pass struct {
	Socket       string
	Request      []byte
	Connections  int
	Milliseconds int
}

type result struct {
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
}

func main() {
	// The server has the other processor.
	runtime.GOMAXPROCS(1)
	passes, results := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var next pass
		if passes.Decode(&next) != nil {
			return
		}
		told, err := run(next)
		if err == nil {
			err = results.Encode(told)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func run(p pass) (result, error) {
	type answers struct {
		times []time.Duration
		err   error
	}
	done := make(chan answers)
	startedAt := time.Now()
	until := startedAt.Add(time.Duration(p.Milliseconds) * time.Millisecond)
	for range p.Connections {
		go func() {
			times, err := ask(p.Socket, p.Request, until)
			done <- answers{times, err}
		}()
	}
	var times []time.Duration
	for range p.Connections {
		came := <-done
		if came.err != nil {
			return result{}, came.err
		}
		times = append(times, came.times...)
	}
	seconds := time.Since(startedAt).Seconds()
	slices.Sort(times)
	at := func(part float64) float64 { return float64(times[int(float64(len(times))*part)].Nanoseconds()) / 1000 }
	return result{float64(len(times)) / seconds, at(0.5), at(0.99)}, nil
}

// ask sends the request until the time is over.
func ask(socket string, request []byte, until time.Time) ([]time.Duration, error) {
	connection, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(connection)
	if err := syscall.Connect(connection, &syscall.SockaddrUnix{Name: socket}); err != nil {
		return nil, err
	}
	var times []time.Duration
	answer := make([]byte, 64<<10)
	body := -1
	for askedAt := time.Now(); ; {
		if _, err := syscall.Write(connection, request); err != nil {
			return nil, err
		}
		for got, wanted := 0, -1; wanted < 0 || got < wanted; {
			count, err := syscall.Read(connection, answer[got:])
			if err != nil || count == 0 {
				return nil, fmt.Errorf("the answer ends after %d bytes: %v", got, err)
			}
			got += count
			end := bytes.Index(answer[:got], []byte("\r\n\r\n"))
			if wanted >= 0 || end < 0 {
				continue
			}
			// The same request has an answer of the same length.
			if body < 0 {
				body = lengthOf(answer[:end])
			}
			if body < 0 || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) {
				return nil, fmt.Errorf("%s", answer[:got])
			}
			wanted = end + 4 + body
		}
		now := time.Now()
		times = append(times, now.Sub(askedAt))
		if now.After(until) {
			return times, nil
		}
		askedAt = now
	}
}

func lengthOf(head []byte) int {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(": "))
		if length, err := strconv.Atoi(string(value)); err == nil && bytes.EqualFold(name, []byte("content-length")) {
			return length
		}
	}
	return -1
}
