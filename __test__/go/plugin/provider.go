package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/secrets-engine/plugin"
)

// secret is one of the file. Size makes a value of so many bytes, which count 0 to 255 again and again.
type secret struct {
	ID        string            `json:"id"`
	Value     []byte            `json:"value"` // base64
	Size      int               `json:"size"`
	Version   string            `json:"version"`
	Provider  string            `json:"provider"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt time.Time         `json:"createdAt"`
	ExpiresAt time.Time         `json:"expiresAt"`
}

func readSecrets(file string, count int) ([]plugin.Envelope, error) {
	var listed []secret
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &listed); err != nil {
			return nil, err
		}
	}
	for i := range count {
		listed = append(listed, secret{ID: fmt.Sprintf("many/%d", i), Value: fmt.Appendf(nil, "value %d", i)})
	}
	var secrets []plugin.Envelope
	for _, s := range listed {
		id, err := plugin.ParseID(s.ID)
		if err != nil {
			return nil, err
		}
		for i := range s.Size {
			s.Value = append(s.Value, byte(i))
		}
		secrets = append(secrets, plugin.Envelope{
			ID: id, Value: s.Value, Version: s.Version, Provider: s.Provider, Metadata: s.Metadata,
			CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
		})
	}
	return secrets, nil
}

type provider struct {
	secrets  []plugin.Envelope
	conn     *cutConn
	answered atomic.Int64
}

func (p *provider) GetSecrets(ctx context.Context, asked plugin.Pattern) ([]plugin.Envelope, error) {
	event("asked %s", asked)
	if err := p.misbehave(ctx, asked); err != nil {
		return nil, err
	}
	if *echo {
		id, err := plugin.ParseID(asked.String())
		if err != nil {
			return nil, err
		}
		return []plugin.Envelope{{ID: id, Value: []byte(asked.String())}}, nil
	}
	var found []plugin.Envelope
	for _, s := range p.secrets {
		if *loose || asked.Match(s.ID) {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return nil, plugin.ErrNotFound
	}
	return found, nil
}

func (p *provider) misbehave(ctx context.Context, asked plugin.Pattern) error {
	for range *leak {
		if _, err := os.Open(os.DevNull); err != nil {
			return err
		}
	}
	if *noise > 0 {
		os.Stderr.WriteString(strings.Repeat("noise\n", *noise/6))
	}
	answers := int(p.answered.Add(1)) - 1
	if *exitAfter > 0 && answers >= *exitAfter {
		os.Exit(3)
	}
	if *dropAfter > 0 && answers >= *dropAfter {
		p.conn.Close()
	}
	if *cutAnswer > 0 {
		p.conn.arm(*cutAnswer)
	}
	if *delay > 0 && *deaf {
		time.Sleep(*delay)
	} else if *delay > 0 {
		select {
		case <-time.After(*delay):
		case <-ctx.Done():
			event("cancelled %s", asked)
			return ctx.Err()
		}
	}
	if *panics {
		panic(bytes.ErrTooLarge)
	}
	if *fail != "" {
		return errors.New(*fail)
	}
	return nil
}
