import { createHash } from 'node:crypto';
import { MemcacheClient } from 'memcache-client';
import { CacheOpsConfigError } from '../../cacheops.errors.js';
import type {
  LeaseEnd,
  LockBusy,
  LockDriver,
  LockGrant,
  LockLease,
  LockRenewal,
  LockRequest,
  LockState,
  ReleaseOutcome,
  RenewOutcome,
} from '../lock-driver.interface.js';
import { MemcachedStore, type StoredItem } from './memcached.store.js';

export interface MemcachedLockDriverOptions {
  /**
   * One server, `'host:11211'`, or a client of the package `memcache-client`, which stays open. A lock is in one place:
   * neither several servers nor a proxy in front of them.
   */
  readonly server: string | MemcacheClient;
  /** Put before every key: 1 to 150 printable characters of ASCII without blanks. Default `'cacheops:l:'`. */
  readonly prefix?: string;
}

/** What is written under a key. */
interface Stored {
  readonly owner: string;
  readonly metadata: string;
  /** Wall clock of the holder, in milliseconds; for display only. */
  readonly until: number;
  /** The token of an earlier write; without it, the token is the stamp of this one. */
  readonly token?: number;
}

/** Memcached counts in seconds, takes more of them than 30 days for a date, and may be nearly one second early. */
const RESOLUTION_MS = 1000;
const LONGEST_MS = 30 * 24 * 3600 * 1000 - 2 * RESOLUTION_MS;
const TIMEOUT_MS = 2000;
const PREFIX = /^[\x21-\x7e]{1,150}$/;
const AT_ONCE = -1;

/**
 * Locks in memcached: `add` to take one, `cas` to renew and to release, so that nobody touches the lock of another.
 *
 * Memcached forgets: a lock is lost when the server is restarted, flushed, or evicts it for lack of memory. Tokens stand
 * that, as they begin with the time at which the server was started: check them where it matters (`fence`).
 */
export class MemcachedLockDriver implements LockDriver {
  readonly capabilities = {
    scope: 'shared',
    fencing: true,
    ordering: 'none',
    wakeUp: 'poll',
    modes: ['exclusive'],
    resolution: RESOLUTION_MS,
    serverTime: true,
  } as const;
  readonly #prefix: string;
  readonly #client: MemcacheClient;
  readonly #ownsClient: boolean;
  readonly #store: MemcachedStore;

  /** @throws CacheOpsConfigError when an option is malformed */
  constructor({ server, prefix = 'cacheops:l:' }: MemcachedLockDriverOptions) {
    if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
      throw new CacheOpsConfigError(
        'prefix',
        '1 to 150 printable characters of ASCII without blanks',
        prefix,
      );
    }
    if (!(server instanceof MemcacheClient) && !isAddress(server)) {
      throw new CacheOpsConfigError('server', '"host:port" or a client of memcache-client', server);
    }
    this.#prefix = prefix;
    this.#ownsClient = typeof server === 'string';
    this.#client =
      typeof server === 'string'
        ? new MemcacheClient({ server, cmdTimeout: TIMEOUT_MS, connectTimeout: TIMEOUT_MS, noDelay: true })
        : server;
    this.#store = new MemcachedStore(this.#client);
  }

  async acquire(request: LockRequest): Promise<LockGrant | LockBusy> {
    const seconds = secondsOf(request.ttl);
    const { owner, metadata, names } = request;
    const stored: Stored = { owner, metadata, until: Date.now() + request.ttl };
    const taken: string[] = [];
    let isNew = true;
    for (const name of names) {
      if (await this.#store.add(this.#key(name), JSON.stringify(stored), seconds)) {
        taken.push(name);
        continue;
      }
      const [item] = await this.#store.read([this.#key(name)]);
      if (ownerOf(item) !== owner) return this.#giveBack(taken, owner);
      isNew = false;
    }
    const items = await this.#store.read(names.map((name) => this.#key(name)));
    if (!items.every((item) => ownerOf(item) === owner)) return this.#giveBack(taken, owner);
    const token = Math.max(...items.map((item) => tokenOf(item as StoredItem)));
    if (isNew && names.length === 1) return { granted: true, fencingToken: token };
    const renewed = await Promise.all(
      names.map((name) => this.#change(name, owner, seconds, () => ({ ...stored, token }))),
    );
    if (renewed.some((end) => end !== undefined)) return this.#giveBack(taken, owner);
    return { granted: true, fencingToken: token };
  }

  async renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    return Promise.all(
      leases.map(async ({ names, owner, ttl }) => {
        const until = Date.now() + ttl;
        const items = await this.#store.read(names.map((name) => this.#key(name)));
        const lost = firstEnd(items.map((item) => endOf(item, owner)));
        if (lost) return lost;
        const ends = names.map((name) =>
          this.#change(name, owner, secondsOf(ttl), (item) => ({
            ...parse(item),
            token: tokenOf(item),
            until,
          })),
        );
        return firstEnd(await Promise.all(ends)) ?? 'renewed';
      }),
    );
  }

  async release({ names, owner }: LockLease): Promise<ReleaseOutcome> {
    return firstEnd(await this.#drop(names, owner)) ?? 'released';
  }

  async inspect(name: string): Promise<LockState> {
    const [item] = await this.#store.read([this.#key(name)]);
    if (!item) return { holders: [], waiting: 0 };
    const { owner, metadata, until } = parse(item);
    const remaining = Math.max(0, until - Date.now());
    const holder = { owner, mode: 'exclusive', fencingToken: tokenOf(item), remaining, metadata } as const;
    return { holders: [holder], waiting: 0 };
  }

  async close(): Promise<void> {
    if (this.#ownsClient) this.#client.shutdown();
  }

  async #giveBack(taken: readonly string[], owner: string): Promise<LockBusy> {
    await this.#drop(taken, owner);
    return { granted: false, retryAfter: undefined };
  }

  #drop(names: readonly string[], owner: string): Promise<(LeaseEnd | undefined)[]> {
    return Promise.all(names.map((name) => this.#change(name, owner, AT_ONCE, parse)));
  }

  /** Replaces what the owner has stored, unless its lease is over. */
  async #change(
    name: string,
    owner: string,
    seconds: number,
    change: (item: StoredItem) => Stored,
  ): Promise<LeaseEnd | undefined> {
    const key = this.#key(name);
    for (;;) {
      const [item] = await this.#store.read([key]);
      const end = endOf(item, owner);
      if (end !== undefined || item === undefined) return end;
      if (await this.#store.replace(key, JSON.stringify(change(item)), seconds, item.cas)) return undefined;
    }
  }

  #key(name: string): string {
    return this.#prefix + createHash('sha256').update(name, 'utf16le').digest('hex');
  }
}

/** Long enough: an item that is stored for n seconds may be gone after a little more than n - 1. */
function secondsOf(ttl: number): number {
  if (ttl > LONGEST_MS) throw new CacheOpsConfigError('ttl', 'less than 30 days with memcached', ttl);
  return Math.ceil(ttl / 1000) + 1;
}

const isAddress = (server: unknown): server is string =>
  typeof server === 'string' && /^[^\s:/]+:\d{1,5}$/.test(server);

const parse = (item: StoredItem): Stored => JSON.parse(item.text) as Stored;

const tokenOf = (item: StoredItem): number => parse(item).token ?? item.stamp;

const ownerOf = (item: StoredItem | undefined): string | undefined => item && parse(item).owner;

function endOf(item: StoredItem | undefined, owner: string): LeaseEnd | undefined {
  if (!item) return 'expired';
  return ownerOf(item) === owner ? undefined : 'stolen';
}

const firstEnd = (ends: readonly (LeaseEnd | undefined)[]): LeaseEnd | undefined =>
  ends.includes('stolen') ? 'stolen' : ends.find((end) => end !== undefined);
