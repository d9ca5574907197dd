import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { CallRequest } from '../core/call-request.js';
import { parseRecord } from './parse.js';

/** How something about a request is told; `undefined`: it cannot be, and nothing personal is shared. */
export type RequestResolver = (request: CallRequest) => string | number | bigint | undefined;

/** What cached methods that are given a request may vary by. */
export interface HttpOptions {
  /** For `vary: 'user'`. Default: `id` or `sub` of the request's `user`, which guards put there. */
  readonly user?: ((request: never) => string | number | bigint | undefined) | undefined;
  /** For `vary: 'tenant'`. No default: a method that varies by tenant needs it. */
  readonly tenant?: ((request: never) => string | number | bigint | undefined) | undefined;
  /** For `vary: 'language'`. Default: the header `Accept-Language` as it is. */
  readonly language?: ((request: never) => string | number | bigint | undefined) | undefined;
}

export interface ResolvedHttp {
  readonly user: RequestResolver;
  readonly tenant: RequestResolver | undefined;
  readonly language: RequestResolver;
}

const NAMES = ['user', 'tenant', 'language'] as const satisfies readonly (keyof HttpOptions)[];

/** @throws CacheOpsConfigError */
export function parseHttp(value: unknown): ResolvedHttp {
  const { user, tenant, language } = parseRecord('http', value ?? {}, NAMES);
  return Object.freeze({
    user: user === undefined ? userOf : resolver('http.user', user),
    tenant: tenant === undefined ? undefined : resolver('http.tenant', tenant),
    language: language === undefined ? languageOf : resolver('http.language', language),
  });
}

function resolver(option: string, value: unknown): RequestResolver {
  if (typeof value === 'function') return value as RequestResolver;
  throw new CacheOpsConfigError(option, 'a function of the request', value);
}

const userOf: RequestResolver = ({ user }) => {
  const { id, sub } = (typeof user === 'object' && user !== null ? user : {}) as Partial<
    Record<'id' | 'sub', string | number | undefined>
  >;
  return id ?? sub;
};

const languageOf: RequestResolver = ({ headers }) => {
  const language = headers['accept-language'];
  return typeof language === 'string' ? language : undefined;
};
