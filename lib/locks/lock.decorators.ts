import 'reflect-metadata';
import { applyDecorators, Inject, UseFilters } from '@nestjs/common';
import { CacheOpsConfigError, CacheOpsDependencyError } from '../cacheops.errors.js';
import { parseChoice } from '../options/parse.js';
import type { EntityLockOptions } from './entity-lock.js';
import { LockBusyFilter, type LockBusyStatus, statusOf } from './lock-busy.filter.js';
import type { LockHandle } from './lock-handle.js';
import type { LockNames, LockOptions } from './lock.options.js';
import { LockService } from './lock.service.js';

/** What a name is made from. */
export interface LockCall {
  /** The arguments of the call. */
  readonly args: readonly unknown[];
  /** The object whose method is called. */
  readonly instance: object;
}

interface Busy {
  /**
   * What happens when the lock is not free: `'wait'` for it, then fail; `'fail'` at once; `'skip'` the method, whose
   * result is then `undefined`. Default `'wait'`.
   */
  readonly onBusy?: 'wait' | 'fail' | 'skip' | undefined;
  /** The HTTP status of a route whose lock is not free: `423` (Locked) or `409` (Conflict). Default `423`. */
  readonly status?: LockBusyStatus | undefined;
}

/** Options of `@Lock()`. */
export type LockDecoratorOptions = LockOptions & Busy;

/** Options of `@LockEntity()`; `argument`: which argument is the entity, counted from 0. Default `0`. */
export type LockEntityDecoratorOptions = EntityLockOptions &
  Busy & { readonly argument?: number | undefined };

/** Where Nest puts the service into instances of a class with such methods. */
const LOCKS = Symbol('cacheops.locks');

type Method = (this: object, ...args: unknown[]) => unknown;

/**
 * A method of a provider or controller that runs under a lock. It returns a promise, whatever it returned before.
 *
 * A route whose lock is not free answers 423 with `Retry-After`.
 *
 * @param name a name, several of them, or a function of the call: `({ args }) => `order:${args[0]}``
 * @throws CacheOpsConfigError when an option is bad
 */
export function Lock(
  name: LockNames | ((call: LockCall) => LockNames),
  options: LockDecoratorOptions = {},
): MethodDecorator {
  const { onBusy, status, ...rest } = options;
  const nameOf = typeof name === 'function' ? name : () => name;
  return locked({ onBusy, status }, (locks, call, mode) =>
    mode === 'skip'
      ? locks.tryAcquire(nameOf(call), rest)
      : locks.acquire(nameOf(call), patienceOf(mode, rest)),
  );
}

/**
 * A method that runs under the lock of a row: its first argument is the entity, which is read anew.
 * @param columns properties whose values are locked instead of the primary key; options may follow
 * @throws CacheOpsConfigError when an option is bad
 */
export function LockEntity(...columns: readonly (string | LockEntityDecoratorOptions)[]): MethodDecorator {
  const last = columns.at(-1);
  const { onBusy, status, argument = 0, ...rest } = typeof last === 'object' ? last : {};
  const properties = columns.filter((column) => typeof column === 'string');
  return locked({ onBusy, status }, (locks, { args }, mode) => {
    const entity = args[argument];
    if (typeof entity !== 'object' || entity === null) {
      throw new CacheOpsDependencyError('UNKNOWN_ENTITY', `an entity as argument ${argument}`, entity);
    }
    const row = locks.forEntity(entity, ...(properties as never[]));
    return mode === 'skip' ? row.tryAcquire(rest) : row.acquire(patienceOf(mode, rest));
  });
}

type Mode = 'wait' | 'fail' | 'skip';

const patienceOf = <T extends LockOptions>(mode: Mode, options: T): T =>
  mode === 'fail' ? { ...options, wait: 0 } : options;

function locked(
  { onBusy, status }: Busy,
  enter: (locks: LockService, call: LockCall, mode: Mode) => Promise<LockHandle | null>,
): MethodDecorator {
  const mode = parseChoice('lock.onBusy', onBusy ?? 'wait', ['wait', 'fail', 'skip']);
  const filter = new LockBusyFilter(statusOf(status ?? 423));
  const wrap = (target: object, key: string | symbol, descriptor: PropertyDescriptor): void => {
    const method = descriptor.value as Method | undefined;
    if (typeof method !== 'function') throw new CacheOpsConfigError('lock', 'a method', key);
    Inject(LockService)(target, LOCKS);
    const wrapped: Method = async function (...args) {
      const locks = (this as { [LOCKS]?: LockService })[LOCKS];
      if (!locks) {
        throw new CacheOpsConfigError('lock', 'an instance made by Nest, beside CacheOpsModule', this);
      }
      const lock = await enter(locks, { args, instance: this }, mode);
      return lock ? locks.run(lock, () => method.apply(this, args)) : undefined;
    };
    Object.defineProperty(wrapped, 'name', { value: method.name, configurable: true });
    // What other decorators have left on the method is looked for along prototypes.
    descriptor.value = Object.setPrototypeOf(wrapped, method) as unknown;
  };
  return applyDecorators(wrap, UseFilters(filter));
}
