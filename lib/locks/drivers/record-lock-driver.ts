import { CacheOpsError } from '../../cacheops.errors.js';
import type {
  LeaseEnd,
  LockBusy,
  LockCapabilities,
  LockDriver,
  LockGrant,
  LockLease,
  LockRenewal,
  LockRequest,
  LockState,
  ReleaseOutcome,
  RenewOutcome,
} from '../lock-driver.interface.js';
import type { HolderSet } from './holder-set.js';

/** What was stored about one name at one moment. */
export interface LockRecord {
  readonly name: string;
  /** To be changed, and given back to `replace`. */
  readonly lock: HolderSet;
  /** The greatest that the name was given; 0 if it was given none. */
  readonly lastToken: number;
}

export interface LockRecordsRead<R extends LockRecord = LockRecord> {
  /** Milliseconds by the clock that all users of the store share; no later than the end of the read. */
  readonly now: number;
  /** Microseconds since the epoch by a wall clock of the store's choice. */
  readonly wallTime: number;
  /** In the order of the names. */
  readonly records: readonly R[];
}

/** A store of small records, one a name, each of which can be replaced if nobody else has replaced it. */
export interface LockRecords<R extends LockRecord = LockRecord> {
  read(names: readonly string[]): Promise<LockRecordsRead<R>>;
  /**
   * Stores the record with the holders that it has now.
   *
   * @param lastToken becomes the record's, and must survive whatever happens to the machine if it is a new one
   * @returns false if it may have been replaced since it was read, or if that is not known: look again
   */
  replace(record: R, lastToken: number): Promise<boolean>;
  close(): Promise<void>;
}

/** Each is overtaken by somebody's success; only a store that does not compare properly gets here. */
const MOST_ATTEMPTS = 1000;

/** Milliseconds by which a clock may go back without anybody minding: time servers do that. */
const CLOCK_TOLERANCE = 1_000;

/**
 * Locks in any store that can read records and replace them conditionally: read, decide, replace, and again from the
 * beginning if somebody was faster. No step leaves anything locked behind it, so a process that is stopped or killed
 * between two of them is in nobody's way.
 *
 * Several names are taken one after the other, after a look that has found all of them free, and given back if
 * somebody was faster at one of them.
 *
 * Tokens are microseconds of the wall clock, or the last token + 1 where that is more: they go on rising if a record is
 * removed while nobody holds it.
 */
export class RecordLockDriver implements LockDriver {
  #closed = false;

  constructor(
    readonly capabilities: LockCapabilities,
    private readonly store: LockRecords,
  ) {}

  acquire(request: LockRequest): Promise<LockGrant | LockBusy> {
    const { owner, mode, metadata, ttl } = request;
    return this.#untilUndisturbed(async () => {
      const { records, now, wallTime } = await this.#read(request.names);
      const mine = records.filter(({ lock }) => lock.holders.has(owner));
      const held = mine.length === records.length;
      // Of an attempt that was not known to succeed we may have some of them: these are in nobody's way but others'.
      const inTheWay = records.filter((record) => !mine.includes(record) && !record.lock.admits(request));
      if (inTheWay.length > 0) {
        await this.#drop(namesOf(mine), owner);
        const retryAfter = Math.max(...inTheWay.map(({ lock }) => lock.endFor(request) - now));
        return { granted: false, retryAfter };
      }
      const next = Math.max(tokenFrom(wallTime), ...records.map(({ lastToken }) => lastToken + 1));
      const fencingToken = (held && records[0]?.lock.holders.get(owner)?.fencingToken) || next;
      const holder = { mode, metadata, fencingToken, deadline: now + ttl, ttl };
      for (const { lock } of records) lock.holders.set(owner, holder);
      const taken = await this.#replaceAll(records, fencingToken);
      if (taken === records.length) return { granted: true, fencingToken };
      await this.#drop(namesOf(records.slice(0, taken + 1)), owner);
      return undefined;
    });
  }

  async renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    return Promise.all(leases.map((lease) => this.#renewOne(lease)));
  }

  async release({ names, owner }: LockLease): Promise<ReleaseOutcome> {
    const ends = await this.#drop(names, owner);
    if (ends.includes('stolen')) return 'stolen';
    return ends.includes('expired') ? 'expired' : 'released';
  }

  async inspect(name: string): Promise<LockState> {
    const { records, now } = await this.#read([name]);
    return { holders: records.flatMap(({ lock }) => lock.describe(now)), waiting: 0 };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.store.close();
  }

  #renewOne({ names, owner, ttl }: LockRenewal): Promise<RenewOutcome> {
    return this.#untilUndisturbed(async () => {
      const { records, now } = await this.#read(names);
      const ends = records.map(({ lock }) => lock.endOf(owner));
      if (ends.includes('stolen')) return 'stolen';
      if (ends.includes('expired')) return 'expired';
      for (const { lock } of records) lock.prolong(owner, now, ttl);
      const renewed = await this.#replaceAll(records, 0);
      return renewed === records.length ? 'renewed' : undefined;
    });
  }

  /** Ends the lease on each of the names. */
  #drop(names: readonly string[], owner: string): Promise<(LeaseEnd | undefined)[]> {
    const drop = (name: string): Promise<{ end: LeaseEnd | undefined }> => {
      let wasThere = false;
      return this.#untilUndisturbed(async () => {
        const [record] = (await this.#read([name])).records as [LockRecord];
        const end = record.lock.endOf(owner);
        // That it is gone since the last look may be the work of this very call.
        if (end !== undefined) return { end: wasThere ? undefined : end };
        wasThere = true;
        record.lock.holders.delete(owner);
        return (await this.store.replace(record, record.lastToken)) ? { end } : undefined;
      });
    };
    return Promise.all(names.map(async (name) => (await drop(name)).end));
  }

  /** @returns how many were replaced before the first that somebody else was faster at */
  async #replaceAll(records: readonly LockRecord[], token: number): Promise<number> {
    for (const [index, record] of records.entries()) {
      if (!(await this.store.replace(record, Math.max(record.lastToken, token)))) return index;
    }
    return records.length;
  }

  async #read(names: readonly string[]): Promise<LockRecordsRead> {
    for (;;) {
      if (this.#closed) throw new CacheOpsError('DRIVER', 'the lock driver was closed');
      const read = await this.store.read(names);
      for (const { lock } of read.records) lock.purge(read.now);
      const ahead = read.records.filter(({ lock }) => lock.shorten(read.now, CLOCK_TOLERANCE));
      if (ahead.length === 0) return read;
      // Stored, or what was shortened would be as long at the next look.
      await Promise.all(ahead.map((record) => this.store.replace(record, record.lastToken)));
    }
  }

  /** @param attempt answers `undefined` when somebody was faster */
  async #untilUndisturbed<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    for (let count = 0; count < MOST_ATTEMPTS; count++) {
      const result = await attempt();
      if (result !== undefined) return result;
    }
    throw new CacheOpsError('DRIVER', `${MOST_ATTEMPTS} attempts to change a lock were each overtaken`);
  }
}

const namesOf = (records: readonly LockRecord[]): string[] => records.map(({ name }) => name);

/** A clock that is centuries ahead must not use up the integers. */
const tokenFrom = (wallTime: number): number => Math.min(Math.floor(wallTime), 2 ** 52);
