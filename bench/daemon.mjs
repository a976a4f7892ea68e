// GetSecrets for one id, in JSON and in protobuf, at 1 and 32 connections: the daemon's server against connect-node's
// handler and a bare node:http server that knows the answer. Every server is a process of its own, and so is the load, a
// program of Go that is the same for all; passes are interleaved, the order reversed every other round.
import { deepStrictEqual } from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromBinary, fromJsonString } from '@bufbuild/protobuf'
import { GetSecretsResponseSchema } from '../dist/gen/resolver/v1/resolver_pb.js'
import { startLoad } from './lib/load.mjs'
import { median } from './lib/median.mjs'
import { requestFor } from './lib/raw-caller.mjs'

const CONTENDERS = ['echo', 'connect', 'ours']
const GOALS = { connect: 5, echo: 0.8 }
const script = fileURLToPath(new URL('./lib/daemon-contender.mjs', import.meta.url))

/**
 * Measures.
 * @param options - `rounds`, and how many `milliseconds` a pass takes.
 * @returns a row for each contender of each load: form, connections, name, requests a second, p50 and p99 in microseconds,
 * and how many times as fast `ours` is (the median of the ratios within a round) with the goal.
 */
export async function bench({ rounds = 9, milliseconds = 700 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  const path = (name) => join(folder, name)
  const children = CONTENDERS.map((name) => fork(script, [name, path(name)]))
  const load = startLoad(folder)
  try {
    await Promise.all(children.map(messageOf))
    for (const form of ['json', 'proto']) {
      const [first, ...others] = await Promise.all(CONTENDERS.map((name) => answer(path(name), form)))
      for (const other of others) deepStrictEqual(other, first)
    }
    const rows = []
    for (const form of ['json', 'proto']) {
      for (const connections of [1, 32]) rows.push(...(await compare({ form, connections, rounds, milliseconds })))
    }
    return rows
  } finally {
    for (const child of children) child.kill()
    load.stop()
    rmSync(folder, { recursive: true, force: true })
  }

  async function compare({ form, connections, rounds, milliseconds }) {
    const request = requestFor('bench/item/7', form)
    const passes = new Map(CONTENDERS.map((name) => [name, []]))
    for (let round = -1; round < rounds; round++) {
      for (const name of round % 2 === 0 ? CONTENDERS : CONTENDERS.toReversed()) {
        const result = await load.run({ socket: path(name), request, connections, milliseconds })
        if (round >= 0) passes.get(name).push(result) // the first round warms up
      }
    }
    const ours = passes.get('ours')
    return CONTENDERS.map((name) => {
      const results = passes.get(name)
      const of = (key) => median(results.map((result) => result[key]))
      const ratio = median(results.map(({ perSecond }, n) => ours[n].perSecond / perSecond))
      return {
        form,
        connections,
        name,
        perSecond: of('perSecond'),
        p50: of('p50'),
        p99: of('p99'),
        ratio,
        goal: GOALS[name],
      }
    })
  }
}

function messageOf(child) {
  return new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`${child.spawnargs.join(' ')} ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message)
    })
  })
}

async function answer(socketPath, form) {
  const path = '/resolver.v1.ResolverService/GetSecrets'
  const id = 'bench/item/7'
  const body = form === 'json' ? JSON.stringify({ pattern: id }) : Buffer.from([0x0a, id.length, ...Buffer.from(id)])
  const type = `application/${form}`
  const request = httpRequest({ socketPath, path, method: 'POST', headers: { 'Content-Type': type }, agent: false })
  request.end(body)
  const [response] = await once(request, 'response')
  const bytes = Buffer.concat(await response.toArray())
  const read =
    form === 'json'
      ? fromJsonString(GetSecretsResponseSchema, bytes.toString())
      : fromBinary(GetSecretsResponseSchema, bytes)
  return { status: response.statusCode, type: response.headers['content-type'], message: read }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.table(await bench())
