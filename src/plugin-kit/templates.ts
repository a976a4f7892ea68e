/** Plugins that work, to begin with: what `se plugins init` writes. */
import { VERSION } from '../version.js'

/** The languages that there is a plugin in. */
export const LANGUAGES = ['ts', 'go', 'sh'] as const

/** A file to write. */
export interface TemplateFile {
  readonly name: string
  readonly text: string
  readonly executable?: boolean
}

/** A plugin's files, and what to type next, in its folder. */
export interface Template {
  readonly files: readonly TemplateFile[]
  readonly next: readonly string[]
}

/**
 * The files of a plugin that has one secret, `NAME/hello`.
 * @param name - A valid name of a plugin.
 */
export function pluginTemplate(name: string, language: (typeof LANGUAGES)[number]): Template {
  const template = { ts: TYPESCRIPT, go: GO, sh: SHELL }[language]
  const named = (text: string): string => text.replaceAll('NAME', name).replaceAll('VERSION', VERSION)
  return {
    files: template.files.map((file) => ({ ...file, name: named(file.name), text: named(file.text) })),
    next: template.next.map(named),
  }
}

const TYPESCRIPT: Template = {
  files: [
    {
      name: 'plugin.ts',
      text: `import { definePlugin, runPlugin } from 'se-native'

const secrets = new Map([['NAME/hello', 'world']])
const plugin = definePlugin({
  name: 'NAME',
  version: 'v0.1.0',
  pattern: 'NAME/**',
  // The second argument has { signal, requester, log }.
  getSecrets: (pattern) => [...secrets].filter(([id]) => pattern.matches(id)).map(([id, value]) => ({ id, value })),
})
await runPlugin(plugin)
`,
    },
    {
      name: 'plugin.test.ts',
      text: `import assert from 'node:assert/strict'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkPlugin } from 'se-native/testing'

test('NAME keeps the rules of plugins', async () => {
  const program = fileURLToPath(new URL('plugin.js', import.meta.url))
  const { results } = await checkPlugin({ name: 'NAME', command: [process.execPath, program], ids: ['NAME/hello'] })
  assert.deepEqual(
    results.filter(({ status }) => status === 'failed'),
    [],
  )
})
`,
    },
    {
      name: 'package.json',
      text: `{
  "name": "NAME",
  "version": "0.1.0",
  "private": true,
  "type": "module",
  "scripts": {
    "build": "tsc",
    "test": "tsc && node --test plugin.test.js"
  },
  "dependencies": {
    "se-native": "^VERSION"
  },
  "devDependencies": {
    "@types/node": "^20.19.0",
    "typescript": "^6.0.0"
  }
}
`,
    },
    {
      name: 'tsconfig.json',
      text: `{
  "compilerOptions": {
    "target": "ES2022",
    "module": "nodenext",
    "types": ["node"],
    "strict": true,
    "skipLibCheck": true
  },
  "include": ["*.ts"]
}
`,
    },
  ],
  next: ['npm link se-native && npm test', 'se plugins add NAME -- node plugin.js'],
}

const GO: Template = {
  files: [
    {
      name: 'main.go',
      text: `// The plugin NAME, on Docker's module: it also works with Docker's own engine.
package main

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"github.com/docker/secrets-engine/plugin"
)

type provider map[string]string

func (p provider) GetSecrets(_ context.Context, pattern plugin.Pattern) ([]plugin.Envelope, error) {
	var found []plugin.Envelope
	for text, value := range p {
		id, err := plugin.ParseID(text)
		if err != nil {
			return nil, err
		}
		if pattern.Match(id) {
			found = append(found, plugin.Envelope{ID: id, Value: []byte(value)})
		}
	}
	if len(found) == 0 {
		return nil, plugin.ErrNotFound
	}
	return found, nil
}

func run(ctx context.Context) error {
	version, err := plugin.NewVersion("v0.1.0")
	if err != nil {
		return err
	}
	pattern, err := plugin.ParsePattern("NAME/**")
	if err != nil {
		return err
	}
	config := plugin.Config{Version: version, SecretsProviderConfig: &plugin.SecretsProviderConfig{Pattern: pattern}}
	stub, err := plugin.NewSecretsProvider(provider{"NAME/hello": "world"}, config)
	if err != nil {
		return err
	}
	return stub.Run(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}
`,
    },
    {
      name: 'main_test.go',
      text: `package main

import (
	"context"
	"testing"

	"github.com/docker/secrets-engine/plugin"
)

func TestAnswers(t *testing.T) {
	pattern, err := plugin.ParsePattern("NAME/*")
	if err != nil {
		t.Fatal(err)
	}
	found, err := provider{"NAME/hello": "world", "other": ""}.GetSecrets(context.Background(), pattern)
	if err != nil || len(found) != 1 || string(found[0].Value) != "world" {
		t.Fatalf("%d secrets, %v", len(found), err)
	}
}
`,
    },
    {
      name: 'go.mod',
      text: `module NAME

go 1.25.12

require github.com/docker/secrets-engine/plugin v0.2.0
`,
    },
  ],
  next: [
    'go mod tidy && go test ./... && go build -o NAME .',
    'se plugins test ./NAME --id NAME/hello',
    'se plugins add NAME -- ./NAME',
  ],
}

const SHELL: Template = {
  files: [
    {
      name: 'NAME',
      executable: true,
      text: `#!/bin/sh
# Each line that comes asks for a pattern: {"pattern":"NAME/hello","requester":{…}}. Each line that goes is a secret.
answer() { printf '{"id":"%s","value":"%s"}\\n' "$1" "$2"; }
while IFS= read -r line; do
  pattern=\${line#*'"pattern":"'} pattern=\${pattern%%'"'*}
  case $pattern in
    NAME/hello | *'*'*) answer NAME/hello world ;;
  esac
done
`,
    },
    {
      name: 'test.sh',
      executable: true,
      text: `#!/bin/sh
set -eu
cd "$(dirname "$0")"
answer=$(echo '{"pattern":"NAME/hello","requester":{"pid":1,"name":"test","path":"/bin/test"}}' | ./NAME)
test "$answer" = '{"id":"NAME/hello","value":"world"}'
exec se plugins test ./NAME --lines --id NAME/hello
`,
    },
  ],
  next: ['./test.sh', "se plugins add NAME --lines --pattern 'NAME/**' -- ./NAME"],
}
