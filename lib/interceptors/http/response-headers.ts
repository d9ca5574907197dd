import type { Headers } from './exchange.js';
import type { HeaderValue, StoredResponse } from './stored-response.js';

/** Headers that belong to one exchange, and say nothing about what is sent. */
const EXCHANGE: ReadonlySet<string> = new Set([
  'age',
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'retry-after',
  'server-timing',
  'set-cookie',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'x-cacheops',
  'x-correlation-id',
  'x-request-id',
  'x-response-time',
]);
const EXCHANGE_KINDS = /^(?:access-control-|x-?ratelimit|ratelimit)/;

/** Headers that were set, or changed, while the response was made: those of guards and middleware are set each time. */
export function ownHeaders(before: Headers, after: Headers): StoredResponse['headers'] {
  const own: [string, HeaderValue][] = [];
  for (const [name, value] of Object.entries(after)) {
    if (value === undefined || EXCHANGE.has(name) || EXCHANGE_KINDS.test(name)) continue;
    if (String(before[name] ?? '') !== String(value)) own.push([name, value]);
  }
  return own;
}

/** The union of lists of header names; `undefined` when they are empty. */
export function joinedNames(...lists: readonly (HeaderValue | undefined)[]): string | undefined {
  const names = new Map<string, string>();
  for (const list of lists) {
    for (const name of String(list ?? '').split(',')) {
      const trimmed = name.trim();
      const key = trimmed.toLowerCase();
      if (key !== '' && !names.has(key)) names.set(key, trimmed);
    }
  }
  return names.size === 0 ? undefined : [...names.values()].join(', ');
}

/** Tags as `Surrogate-Key`, which separates them by blanks. */
export const surrogateKey = (tags: readonly string[]): string => tags.map((tag) => encodeURI(tag)).join(' ');
