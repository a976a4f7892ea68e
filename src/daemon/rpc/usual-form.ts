import type { WireForm } from '../../wire/body.js'
import type { HttpCall } from './http-call.js'

/** The form of a request that is as every client writes it; undefined for any other, or when its headers are not valid. */
export function usualForm({ request, timeoutMs }: HttpCall): WireForm | undefined {
  const { method, url, headers } = request
  if (method !== 'POST' || url?.includes('?') || timeoutMs === null) return undefined
  if (headers['content-encoding'] !== undefined) return undefined
  if (headers['content-type'] === 'application/json') return 'json'
  return headers['content-type'] === 'application/proto' ? 'proto' : undefined
}
