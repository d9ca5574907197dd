import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { CallRequest } from '../core/call-request.js';
import { parseBoolean, parseRecord } from './parse.js';

/** How something about a request is told; `undefined`: it cannot be, and nothing personal is shared. */
export type RequestResolver = (request: CallRequest) => string | number | bigint | undefined;

/** What cached routes, and cached methods that are given a request, may vary by. */
export interface HttpOptions {
  /** For `vary: 'user'`. Default: `id` or `sub` of the request's `user`, which guards put there. */
  readonly user?: ((request: never) => string | number | bigint | undefined) | undefined;
  /** For `vary: 'tenant'`. No default: a method that varies by tenant needs it. */
  readonly tenant?: ((request: never) => string | number | bigint | undefined) | undefined;
  /** For `vary: 'language'`. Default: the header `Accept-Language` as it is. */
  readonly language?: ((request: never) => string | number | bigint | undefined) | undefined;
  /** Whether responses say in `X-CacheOps` what the cache did. Default: where `NODE_ENV` is `'development'`. */
  readonly header?: boolean | undefined;
}

export interface ResolvedHttp {
  readonly user: RequestResolver;
  readonly tenant: RequestResolver | undefined;
  readonly language: RequestResolver;
  readonly header: boolean;
}

const NAMES = ['user', 'tenant', 'language', 'header'] as const satisfies readonly (keyof HttpOptions)[];

/** @throws CacheOpsConfigError */
export function parseHttp(value: unknown): ResolvedHttp {
  const { user, tenant, language, header } = parseRecord('http', value ?? {}, NAMES);
  return Object.freeze({
    user: user === undefined ? userOf : resolver('http.user', user),
    tenant: tenant === undefined ? undefined : resolver('http.tenant', tenant),
    language: language === undefined ? languageOf : resolver('http.language', language),
    header:
      header === undefined ? process.env['NODE_ENV'] === 'development' : parseBoolean('http.header', header),
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
