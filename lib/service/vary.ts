import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { CallRequest } from '../core/call-request.js';
import type { CallContext } from '../decorators/call-context.js';
import type { RequestResolver } from '../options/http.js';
import type { KeyPart } from './call-key.js';
import { hasCredentials } from './request-key.js';

/** How the application tells whom a request is from. */
export type VaryResolvers = Readonly<Record<VaryName, RequestResolver | undefined>>;

export const VARY_NAMES = ['user', 'tenant', 'language'] as const;
export type VaryName = (typeof VARY_NAMES)[number];

const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const NO_PARTS: readonly KeyPart[] = [];

/** What a method says its results vary by. */
export class Vary {
  private constructor(
    /** Whether anything was said; the empty list says something. */
    readonly isDeclared: boolean,
    private readonly names: readonly string[],
    private readonly functions: readonly ((context: CallContext) => unknown)[],
    private readonly resolvers: VaryResolvers,
  ) {}

  /** @throws CacheOpsConfigError */
  static of(option: string, given: unknown, resolvers: VaryResolvers): Vary {
    const list = given === undefined ? [] : Array.isArray(given) ? (given as unknown[]) : [given];
    for (const each of list) {
      if (typeof each === 'function' || (typeof each === 'string' && HEADER.test(each))) continue;
      throw new CacheOpsConfigError(
        option,
        '"user", "tenant", "language", a header, a function or a list of these',
        each,
      );
    }
    if (list.includes('tenant') && !resolvers.tenant) {
      throw new CacheOpsConfigError(
        'http.tenant',
        'a function that tells the tenant of a request',
        undefined,
      );
    }
    const names = list
      .filter((each): each is string => typeof each === 'string')
      .map((name) => name.toLowerCase());
    const functions = list.filter((each) => typeof each === 'function') as ((
      context: CallContext,
    ) => unknown)[];
    return new Vary(given !== undefined, names, functions, resolvers);
  }

  /** Whether a request is needed to tell. */
  get isByRequest(): boolean {
    return this.names.length > 0;
  }

  has(name: VaryName): boolean {
    return this.names.includes(name);
  }

  /** Whether answers differ by who asks. */
  get isPersonal(): boolean {
    return this.has('user') || this.has('tenant') || this.functions.length > 0;
  }

  /** Headers that decide, for the `Vary` header of a response. Where nothing is said, credentials do. */
  get headers(): readonly string[] {
    if (!this.isDeclared) return ['Authorization', 'Cookie'];
    const by: Readonly<Record<string, readonly string[]>> = {
      user: ['Authorization', 'Cookie'],
      tenant: [],
      language: ['Accept-Language'],
    };
    return [...new Set(this.names.flatMap((name) => by[name] ?? [name]))];
  }

  /**
   * The parts of a key; `undefined` when the call must not share results: its request carries credentials and nobody
   * said what the results vary by, or who the user is cannot be told.
   */
  parts(context: CallContext): readonly KeyPart[] | undefined {
    const { request } = context;
    const personal = request !== undefined && hasCredentials(request);
    if (personal && !this.isDeclared) return undefined;
    if (this.names.length === 0 && this.functions.length === 0) return NO_PARTS;
    const parts: KeyPart[] = this.functions.map((fn, i) => ({ path: `vary[${i}]`, value: fn(context) }));
    for (const name of this.names) {
      const value = this.valueOf(name, request);
      if (value === undefined && personal && (name === 'user' || name === 'tenant')) return undefined;
      parts.push({ path: `vary.${name}`, value });
    }
    return parts;
  }

  private valueOf(name: string, request: CallRequest | undefined): unknown {
    if (!request) {
      throw new CacheOpsConfigError(
        'vary',
        `a request among the arguments, to take "${name}" from`,
        undefined,
      );
    }
    const resolver = (this.resolvers as Partial<VaryResolvers>)[name as VaryName];
    const value = resolver ? resolver(request) : request.headers[name];
    return value ?? undefined;
  }
}
