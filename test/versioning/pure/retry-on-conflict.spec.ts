import { QueryFailedError } from 'typeorm';
import { CacheOpsConfigError } from '../../../lib/cacheops.errors.js';
import { RecordModifiedError } from '../../../lib/versioning/record-modified.error.js';
import { pauseAfter } from '../../../lib/versioning/retry/backoff.js';
import { noteTransaction } from '../../../lib/versioning/retry/open-transactions.js';
import { isRetryable } from '../../../lib/versioning/retry/retryable.js';
import {
  RetryOnConflict,
  retryOnConflict,
  type RetryOptions,
} from '../../../lib/versioning/retry/retry-on-conflict.js';

const conflict = (kind: 'modified' | 'missing-version' = 'modified') =>
  new RecordModifiedError({
    entity: 'Film',
    id: 7,
    operation: 'save',
    kind,
    expected: 1,
    actual: 2,
    mine: undefined,
    base: undefined,
    theirs: undefined,
  });

const failure = (driver: object) =>
  new QueryFailedError('UPDATE film', [], Object.assign(new Error('no'), driver));

/** Chance is 1 in the middle, and pauses are noted instead of waited for. */
function manualPacing() {
  const pauses: number[] = [];
  const sleep = async (milliseconds: number) => void pauses.push(milliseconds);
  return { pauses, pacing: { random: () => 0.5, sleep } };
}

/** Fails with each of the errors in turn, then succeeds. */
function failing(...errors: unknown[]) {
  let calls = 0;
  const fn = async () => {
    if (calls < errors.length) throw errors[calls++];
    return ++calls;
  };
  return { fn, calls: () => calls };
}

describe('what is worth repeating', () => {
  it.each([
    ['a version that did not match', conflict(), true],
    ['serialization failure', failure({ code: '40001' }), true],
    ['deadlock of PostgreSQL', failure({ code: '40P01' }), true],
    ['deadlock of MariaDB', failure({ code: 'ER_LOCK_DEADLOCK', errno: 1213, sqlState: '40001' }), true],
    ['lock wait timeout of MariaDB', failure({ code: 'ER_LOCK_WAIT_TIMEOUT', errno: 1205 }), true],
    ['stale snapshot of MariaDB', failure({ errno: 1020 }), true],
    ['busy SQLite', failure({ code: 'SQLITE_BUSY' }), true],
    ['a conflict as the cause of another error', new Error('saving failed', { cause: conflict() }), true],
    ['a version that is missing', conflict('missing-version'), false],
    ['unique violation', failure({ code: '23505' }), false],
    ['duplicate entry', failure({ errno: 1062 }), false],
    ['any other error', new Error('no'), false],
    ['no error', undefined, false],
    ['a text', '40001', false],
  ])('%s', (_name, error, expected) => {
    expect(isRetryable(error)).toBe(expected);
  });

  it('comes to an end with causes in a circle', () => {
    const error = new Error('round');
    error.cause = error;
    expect(isRetryable(error)).toBe(false);
  });
});

describe('retryOnConflict', () => {
  it('runs until it succeeds, and tells the number of the try', async () => {
    const { pauses, pacing } = manualPacing();
    const attempts: number[] = [];
    const result = await retryOnConflict(
      (attempt) => {
        attempts.push(attempt);
        if (attempt < 3) throw conflict();
        return 'saved';
      },
      { pacing, delay: 10 },
    );
    expect(result).toBe('saved');
    expect(attempts).toEqual([1, 2, 3]);
    expect(pauses).toEqual([5, 10]);
  });

  it('doubles the limit of the pause up to its maximum, and pauses for a random part of it', async () => {
    const { pauses, pacing } = manualPacing();
    const { fn } = failing(...Array.from({ length: 6 }, () => conflict()));
    await retryOnConflict(fn, { attempts: 7, delay: '10ms', maxDelay: '50ms', pacing });
    expect(pauses).toEqual([5, 10, 20, 25, 25, 25]);
    expect([0, 0.999].map((random) => pauseAfter(100, { delay: 10, maxDelay: 50 }, random))).toEqual([
      0, 49.95,
    ]);
  });

  it('gives up after the last try, with its error and without a pause', async () => {
    const { pauses, pacing } = manualPacing();
    const last = conflict();
    const { fn, calls } = failing(conflict(), last);
    await expect(retryOnConflict(fn, { attempts: 2, pacing })).rejects.toBe(last);
    expect([calls(), pauses.length]).toEqual([2, 1]);
  });

  it('throws any other error at once', async () => {
    const { pauses, pacing } = manualPacing();
    const other = new Error('no');
    await expect(retryOnConflict(failing(other).fn, { pacing })).rejects.toBe(other);
    expect(pauses).toEqual([]);
  });

  it('repeats after other errors if asked to, and tells about each', async () => {
    const { pacing } = manualPacing();
    const told: unknown[] = [];
    const error = new Error('full');
    const { fn } = failing(error);
    await retryOnConflict(fn, {
      pacing,
      retryIf: (each) => each === error,
      onRetry: (each) => told.push(each),
    });
    expect(told).toEqual([{ error, attempt: 1, pause: 10 }]);
  });

  it('refuses to repeat inside the transaction in which the conflict came up', async () => {
    const { pauses, pacing } = manualPacing();
    const cause = new Error('wrapped', { cause: conflict() });
    let open = true;
    noteTransaction(cause.cause, () => open);
    const { fn, calls } = failing(cause);
    await expect(retryOnConflict(fn, { pacing })).rejects.toMatchObject({
      code: 'RETRY_IN_TRANSACTION',
      cause,
    });
    expect([calls(), pauses.length]).toEqual([1, 0]);
    open = false;
    expect(await retryOnConflict(failing(cause).fn, { pacing })).toBe(2);
  });

  it('stops when its signal does, with the error of the last try', async () => {
    const { pacing } = manualPacing();
    const controller = new AbortController();
    const error = conflict();
    const { fn, calls } = failing(error, error);
    const sleep = async () => {
      controller.abort();
      controller.signal.throwIfAborted();
    };
    const { signal } = controller;
    await expect(retryOnConflict(fn, { signal, pacing: { ...pacing, sleep } })).rejects.toBe(error);
    await expect(retryOnConflict(fn, { signal, pacing })).rejects.toBe(error);
    expect(calls()).toBe(2);
  });

  it('waits with a timer by default', async () => {
    const { fn, calls } = failing(conflict());
    await retryOnConflict(fn, { delay: 1 });
    expect(calls()).toBe(2);
  });

  it.each<[string, object]>([
    ['attempts', { attempts: 0 }],
    ['attempts', { attempts: 1.5 }],
    ['delay', { delay: 'soon' }],
    ['maxDelay', { maxDelay: -1 }],
    ['Did you mean attempts', { attemps: 3 }],
  ])('names a bad option: %s', (message, options) => {
    expect(() => retryOnConflict(async () => 1, options as RetryOptions)).toThrow(CacheOpsConfigError);
    expect(() => retryOnConflict(async () => 1, options as RetryOptions)).toThrow(message);
  });
});

describe('@RetryOnConflict', () => {
  it('repeats the method with its `this` and arguments, and keeps the metadata of other decorators', async () => {
    const { pacing } = manualPacing();
    const Mark = (target: object, key: string | symbol, descriptor: PropertyDescriptor) =>
      Reflect.defineMetadata('mark', 'kept', descriptor.value as object);
    class Shop {
      tries = 0;

      @RetryOnConflict({ pacing })
      @Mark
      async sell(count: number) {
        if (++this.tries < 3) throw conflict();
        return count * 2;
      }
    }
    const shop = new Shop();
    expect(await shop.sell(4)).toBe(8);
    expect(shop.tries).toBe(3);
    expect(Reflect.getMetadata('mark', shop.sell)).toBe('kept');
    expect(shop.sell.name).toBe('sell');
  });

  it('checks its options where it is written', () => {
    expect(() => RetryOnConflict({ attempts: -1 })).toThrow(CacheOpsConfigError);
  });
});
