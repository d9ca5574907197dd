import { CacheOpsError } from '../cacheops.errors.js';
import { EVERYTHING, tableToken, type Token } from '../core/token.js';
import type {
  CacheDriver,
  EntryListing,
  ExpireRequest,
  LeaseRequest,
  PendRequest,
  PinRequest,
  ReadReply,
  SettleRequest,
  ShapeRegistry,
  TokenState,
  WriteRequest,
} from './cache-driver.interface.js';
import type { ConnectedDriver, ConnectionEvent } from './connected-driver.interface.js';
import { attempt, Deadlines } from './guard.deadlines.js';
import { Journal } from './guard.journal.js';
import { type GuardOptions, type GuardState, resolveGuard } from './guard.options.js';
import { GuardOutages } from './guard.outages.js';

/** One error for all operations that are refused while the backend is down: refusing must cost nothing. */
const UNAVAILABLE = new CacheOpsError('DRIVER', 'The cache backend is down; the cache is bypassed.');

/**
 * The failure policy of every cache operation: timeouts, circuit breaker and the memory of what could not be
 * invalidated. All operations reject with `CacheOpsError` code `DRIVER`; a reader takes that for a miss that must not
 * be stored.
 *
 * While the backend is down every operation is refused at once, and tokens to invalidate go to a journal. A probe
 * comes back to the backend by itself, without traffic: it checks that the server has lost nothing (`verify`),
 * delivers the journal, and only then lets operations pass. A single failed invalidation is enough to go down,
 * because what it should have invalidated must not be served.
 *
 * After a rejected `pend` a writer that commits all the same has to `settle` (or `restamp`) after its commit: the
 * journal may be delivered before that commit.
 */
export class GuardedDriver implements CacheDriver {
  readonly capabilities: CacheDriver['capabilities'];
  readonly listing: EntryListing | undefined;
  /** A reply to an operation that began before one of them is not to be trusted. */
  readonly outages: GuardOutages;
  readonly #connected: ConnectedDriver | undefined;
  readonly #unwatch: () => void;
  readonly #reads: Deadlines;
  readonly #writes: Deadlines;
  readonly #invalidations: Deadlines;
  readonly #maxFailures: number;
  readonly #cooldown: number;
  readonly #onStateChange: NonNullable<GuardOptions['onStateChange']>;
  readonly #journal = new Journal();
  #up: boolean;
  #reported: GuardState = 'up';
  #failures = 0;
  #probing: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * A driver with a connection is down until its server is verified, see `probe`.
   * @throws CacheOpsConfigError when a number is not positive
   */
  constructor(
    private readonly inner: CacheDriver,
    options: GuardOptions = {},
  ) {
    const { clock, timeouts, failures, cooldown, onStateChange } = resolveGuard(options);
    this.capabilities = inner.capabilities;
    this.listing = inner.listing && this.#guarded(inner.listing);
    this.#reads = new Deadlines(timeouts.read, clock);
    this.#writes = new Deadlines(timeouts.write, clock);
    this.#invalidations = new Deadlines(timeouts.invalidation, clock);
    this.#maxFailures = failures;
    this.#cooldown = cooldown;
    this.#onStateChange = onStateChange;
    this.#connected = isConnected(inner) ? inner : undefined;
    this.#up = this.#connected === undefined;
    this.outages = new GuardOutages(this.#up);
    this.#unwatch = this.#connected?.watch((event) => this.#connection(event)) ?? (() => undefined);
    if (!this.#up) void this.probe();
  }

  /** Whether operations reach the backend. */
  available(): boolean {
    return this.#up;
  }

  read(key: string, tokens: readonly Token[]): Promise<ReadReply> {
    return this.#serve(this.#reads, () => this.inner.read(key, tokens));
  }

  states(tokens: readonly Token[]): Promise<readonly TokenState[]> {
    return this.#serve(this.#reads, () => this.inner.states(tokens));
  }

  pin(request: PinRequest): Promise<readonly TokenState[]> {
    return this.#serve(this.#reads, () => this.inner.pin(request));
  }

  write(request: WriteRequest): Promise<boolean> {
    return this.#serve(this.#writes, () => this.inner.write(request));
  }

  registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>> {
    return this.#serve(this.#invalidations, () => this.inner.registries(tables));
  }

  pend(request: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    const { writer, tokens, registries } = request;
    const remember = (): void => this.#journal.settle({ writer, tokens, tables: [...registries.keys()] });
    return this.#invalidate(remember, () => this.inner.pend(request));
  }

  settle(request: SettleRequest): Promise<void> {
    return this.#invalidate(
      () => this.#journal.settle(request),
      () => this.inner.settle(request),
    );
  }

  restamp(tokens: readonly Token[]): Promise<void> {
    return this.#invalidate(
      () => this.#journal.restamp(tokens),
      () => this.inner.restamp(tokens),
    );
  }

  /** What cannot be expired is invalidated on return: nobody knows what has become stale since. */
  expire(request: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.#invalidate(
      () => this.#journal.restamp([...request.tokens, ...[...request.registries.keys()].map(tableToken)]),
      () => this.inner.expire(request),
    );
  }

  lease(request: LeaseRequest & { readonly ttl: number }): Promise<number> {
    return this.#serve(this.#reads, () => this.inner.lease(request));
  }

  unlease(request: LeaseRequest): Promise<void> {
    return this.#serve(this.#writes, () => this.inner.unlease(request));
  }

  delete(keys: readonly string[]): Promise<number> {
    return this.#invalidate(
      () => this.#journal.delete(keys),
      () => this.inner.delete(keys),
      this.#writes,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#up = false;
    clearTimeout(this.#timer);
    this.#unwatch();
    this.outages.end();
    await this.inner.close();
  }

  /**
   * Tries to come back, if down: verifies the server, delivers the journal, lets operations pass. Never rejects.
   * @returns whether the backend is up
   */
  probe(): Promise<boolean> {
    this.#probing ??= this.#recover().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  #guarded(listing: EntryListing): EntryListing {
    return {
      scan: (cursor) => this.#serve(this.#invalidations, () => listing.scan(cursor)),
      heads: (keys, token) => this.#serve(this.#invalidations, () => listing.heads(keys, token)),
    };
  }

  async #serve<T>(deadlines: Deadlines, start: () => Promise<T>): Promise<T> {
    if (!this.#up) throw UNAVAILABLE;
    const epoch = this.outages.count;
    let reply: T;
    try {
      reply = await attempt(deadlines, start);
    } catch (error) {
      if (epoch === this.outages.count && ++this.#failures >= this.#maxFailures) this.#down(error);
      throw driverError(error);
    }
    // The client may have sent it again to a server that came back without the last invalidations.
    if (epoch !== this.outages.count) throw UNAVAILABLE;
    this.#failures = 0;
    return reply;
  }

  #invalidate<T>(
    remember: () => void,
    start: () => Promise<T>,
    deadlines: Deadlines = this.#invalidations,
  ): Promise<T> {
    if (!this.#up) {
      remember();
      return Promise.reject(UNAVAILABLE);
    }
    const epoch = this.outages.count;
    return attempt(deadlines, start).catch(async (first: unknown) => {
      try {
        if (epoch !== this.outages.count) throw first;
        return await attempt(deadlines, start);
      } catch (error) {
        remember();
        this.#down(error);
        throw driverError(error);
      }
    });
  }

  #down(error: unknown): void {
    this.outages.begin();
    if (this.#up) {
      this.#up = false;
      this.#failures = 0;
      this.#schedule();
    }
    this.#report('down', error);
  }

  async #recover(): Promise<boolean> {
    if (this.#up || this.#closed) return this.#up;
    const epoch = this.outages.count;
    try {
      await attempt(this.#invalidations, () => this.#reach());
      while (!this.#journal.empty) {
        await this.#journal.deliver(this.inner, (work) => attempt(this.#invalidations, work));
      }
      if (epoch !== this.outages.count) throw UNAVAILABLE;
    } catch (error) {
      if (!this.#closed) {
        this.#connected?.reconnect();
        this.#schedule();
      }
      this.#report('down', error);
      return false;
    }
    if (this.#closed) return false;
    this.#up = true;
    this.outages.end();
    clearTimeout(this.#timer);
    this.#report('up');
    return true;
  }

  async #reach(): Promise<void> {
    if (this.#connected !== undefined) await this.#connected.verify();
    else await this.inner.read('', [EVERYTHING]);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.probe(), this.#cooldown).unref();
  }

  #connection(event: ConnectionEvent): void {
    if (event === 'lost')
      this.#down(new CacheOpsError('DRIVER', 'The connection to the cache backend was lost.'));
    else void (this.#probing ?? Promise.resolve()).then(() => this.probe());
  }

  #report(state: GuardState, error?: unknown): void {
    if (this.#reported === state || this.#closed) return;
    this.#reported = state;
    this.#onStateChange(state, error);
  }
}

function driverError(error: unknown): CacheOpsError {
  if (error instanceof CacheOpsError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CacheOpsError('DRIVER', `The cache backend failed: ${reason}`, { cause: error });
}

function isConnected(driver: CacheDriver): driver is ConnectedDriver {
  return 'verify' in driver && 'watch' in driver;
}
