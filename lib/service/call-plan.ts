import { CacheOpsConfigError, CacheOpsDependencyError } from '../cacheops.errors.js';
import type { Dependencies } from '../core/dependencies.js';
import type { Dependency } from '../core/entity-dependency.js';
import type { LateDependencies, Lookup } from '../core/lookup.js';
import type { CallContext } from '../decorators/call-context.js';
import type { CachedAsOptions } from '../decorators/cached-as.options.js';
import type { InvalidateOnRule, MethodRules } from '../decorators/method-rules.js';
import type { MethodSite } from '../discovery/method-binding.js';
import { parseBoolean, parseDuration, parseRecord, parseTimeout } from '../options/parse.js';
import { parseRefill, REFILL_OPTIONS } from '../options/refill.js';
import type { DependencyResolver } from './dependency-resolver.js';
import type { Policy } from './values.js';
import { Vary, type VaryResolvers } from './vary.js';

const OPTIONS = [
  'ttl',
  'timeout',
  'extra',
  'tags',
  'when',
  'vary',
  'track',
  'onHit',
  'onMiss',
  'observable',
  ...REFILL_OPTIONS,
] as const satisfies readonly (keyof CachedAsOptions)[];

/** What the plans of all methods need. */
export interface PlanServices {
  readonly resolver: DependencyResolver;
  readonly vary: VaryResolvers;
  /** Milliseconds. */
  readonly ttl: number;
}

type Callback<E> = ((event: E) => void) | undefined;

/** What the decorators of a cached method say, checked once. */
export class CallPlan {
  readonly where: string;
  readonly options: Partial<Record<keyof CachedAsOptions, unknown>>;
  readonly policy: Policy;
  readonly vary: Vary;
  readonly onHit: Callback<object>;
  readonly onMiss: Callback<object>;
  private readonly asked: ((context: CallContext) => boolean) | undefined;
  private readonly rules: Required<Pick<MethodRules, 'cached'>> & MethodRules;

  /** @throws CacheOpsConfigError */
  constructor(
    readonly site: MethodSite,
    rules: MethodRules,
    private readonly services: PlanServices,
  ) {
    const cached = rules.cached as NonNullable<MethodRules['cached']>;
    this.rules = { ...rules, cached };
    const where = (this.where = `@${cached.decorator} on ${site.label}`);
    const options = (this.options = parseRecord(where, cached.options, OPTIONS));
    const { ttl, timeout, vary } = options;
    this.policy = {
      ttl: ttl === undefined ? services.ttl : parseDuration(`${where}: ttl`, ttl),
      loadTimeout: timeout === undefined ? undefined : parseTimeout(`${where}: timeout`, timeout),
      refill: parseRefill(`${where}: `, options),
    };
    this.vary = Vary.of(`${where}: vary`, vary, services.vary);
    this.onHit = this.function('onHit');
    this.onMiss = this.function('onMiss');
    this.asked = this.function('when');
    if (options.track !== undefined) parseBoolean(`${where}: track`, options.track);
  }

  when(context: CallContext): boolean {
    return this.asked?.(context) ?? true;
  }

  extra(context: CallContext): unknown {
    return byCall(this.options.extra, context);
  }

  tags(context: CallContext): readonly string[] {
    return (byCall(this.options.tags, context) ?? []) as readonly string[];
  }

  /** What is known of the dependencies before the method runs. */
  reads(context: CallContext): Dependencies {
    const { cached, invalidateOn } = this.rules;
    const named = listOf(cached.deps?.(context));
    const whole = (invalidateOn ?? [])
      .filter(({ rows }) => !rows)
      .flatMap(({ entities }) => listOf(entities(context)));
    const deps = whole.length === 0 ? named : [...named, ...whole];
    return this.services.resolver.reads(deps, this.tags(context));
  }

  /** Somebody who names dependencies answers for what cannot be found out. */
  get trace(): Lookup<never>['trace'] {
    const { cached, invalidateOn } = this.rules;
    if (this.options.track === false) return undefined;
    return cached.deps || invalidateOn || this.options.tags ? 'known' : 'exact';
  }

  /** @param over the context of the call when it is over */
  late<T>(context: CallContext, over: (value: T) => CallContext): LateDependencies<T> | undefined {
    const rules = (this.rules.invalidateOn ?? []).filter(({ rows }) => rows);
    if (rules.length === 0) return undefined;
    const { resolver } = this.services;
    const within = resolver.reads(rules.flatMap(({ entities }) => listOf(entities(context))));
    const of = (value: T): Dependencies => {
      const found = resolver.reads(rules.flatMap((rule) => rowsOf(rule, over(value))));
      this.assertWithin(found, within);
      return found;
    };
    return { within, of };
  }

  private assertWithin({ tokens }: Dependencies, within: Dependencies): void {
    const covered = new Set(within.tokens);
    // `t:{table}:` is any row of the table, and covers each.
    const isCovered = (token: string): boolean =>
      covered.has(token) || covered.has(token.slice(0, token.indexOf('}:') + 2));
    if (tokens.every(isCovered)) return;
    throw new CacheOpsDependencyError(
      'UNKNOWN_DEPENDENCY',
      `rows of the entities that @InvalidateOn on ${this.site.label} names first`,
      tokens.find((token) => !isCovered(token)),
      'Name the entity itself: @InvalidateOn(() => User, (ctx) => dep(User, ...))',
    );
  }

  private function<A extends unknown[], R = void>(
    name: 'when' | 'onHit' | 'onMiss',
  ): ((...args: A) => R) | undefined {
    const value = this.options[name];
    if (value === undefined || typeof value === 'function') return value as ((...args: A) => R) | undefined;
    throw new CacheOpsConfigError(`${this.where}: ${name}`, 'a function', value);
  }
}

const rowsOf = ({ rows }: InvalidateOnRule, context: CallContext): readonly Dependency[] =>
  listOf(rows?.(context));

export function listOf<T extends object | string>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

const byCall = (value: unknown, context: CallContext): unknown =>
  typeof value === 'function' ? (value as (context: CallContext) => unknown)(context) : value;
