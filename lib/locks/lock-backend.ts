import { CacheOpsError } from '../cacheops.errors.js';
import type { Clock, Scheduler } from '../core/clock.js';
import { driftOf } from './lease.js';
import type {
  LockBusy,
  LockDriver,
  LockLease,
  LockPatience,
  LockRenewal,
  LockRequest,
  LockState,
  LockTurn,
  ReleaseOutcome,
  RenewOutcome,
} from './lock-driver.interface.js';
import type { LockInstrumentation, LockOperation } from './lock.instrumentation.js';
import { checkCapabilities } from './lock.options.js';
import { PollingLine } from './polling-line.js';
import { Timeouts } from './timeouts.js';
import { pause, unlessOver, within } from './within.js';

export interface LockBackendSettings {
  /** Called at the first use. */
  readonly open: () => Promise<LockDriver>;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly instrumentation: LockInstrumentation;
  /** Milliseconds for one call of the driver. */
  readonly timeout: number;
}

/** Pause after a call that failed, before the next attempt within the time to wait. */
const AFTER_FAILURE = 100;

type InTurn = (request: LockRequest, patience: LockPatience) => Promise<LockTurn | LockBusy>;

interface Opened {
  readonly driver: LockDriver;
  readonly inTurn: InTurn;
  readonly line: PollingLine | undefined;
}

/** The driver as the lock service uses it: opened when it is needed, never waited for without end. */
export class LockBackend {
  #opening: Promise<Opened> | undefined;
  #opened: Opened | undefined;
  readonly #timeouts: Timeouts;
  #closed = false;

  constructor(private readonly settings: LockBackendSettings) {
    this.#timeouts = new Timeouts(settings.clock, settings.scheduler);
  }

  /**
   * @returns the grant, or that the names were not free within `wait`; with `wait: 0` it is one attempt
   * @throws the reason of `signal`
   * @throws CacheOpsError `DRIVER` when the backend fails until `wait` is over
   * @throws CacheOpsConfigError when the driver cannot do what is asked for
   */
  async acquire(request: LockRequest, { wait, signal }: LockPatience): Promise<LockTurn | LockBusy> {
    const { clock, scheduler } = this.settings;
    const deadline = clock.monotonic() + wait;
    for (;;) {
      signal?.throwIfAborted();
      const left = deadline - clock.monotonic();
      try {
        const opened = this.#opened ?? (await this.#open());
        checkCapabilities(request, opened.driver.capabilities);
        const turn =
          left > 0 ? await opened.inTurn(request, { wait: left, signal }) : await this.#once(opened, request);
        if (!turn.granted) return turn;
        if (!signal?.aborted && this.#isValid(turn, request)) return turn;
        // Nobody waits for it any more; or it was over before it was seen, because this process stood still.
        await this.release(request).catch(() => undefined);
        signal?.throwIfAborted();
        if (clock.monotonic() >= deadline) return { granted: false, retryAfter: undefined };
      } catch (error) {
        if (signal?.aborted || this.#closed || !isTransient(error)) throw error;
        this.#failed('acquire', error);
        if (clock.monotonic() >= deadline) throw this.#givenUp(request, error);
      }
      await pause(scheduler, Math.min(AFTER_FAILURE, deadline - clock.monotonic()), signal);
    }
  }

  renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    return this.#call('renew', ({ driver }) => driver.renew(leases));
  }

  release(lease: LockLease): Promise<ReleaseOutcome> {
    return this.#call('release', ({ driver, line }) => {
      const released = driver.release(lease);
      if (line)
        released.then(
          () => line.nudge(lease.names),
          () => undefined,
        );
      return released;
    });
  }

  /** Releases in the background, as well as it can: what is not released runs out. */
  giveBack(lease: LockLease): void {
    this.release(lease).catch(() => undefined);
  }

  async inspect(name: string): Promise<LockState> {
    const { driver } = await this.#open();
    return within(this.#timeouts, this.settings.timeout, driver.inspect(name));
  }

  /** What takes too long to open, or to close, is not waited for; it is closed when it is there. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#opened = undefined;
    const closing = this.#opening?.then(
      async ({ driver, line }) => {
        await line?.close();
        await driver.close();
      },
      () => undefined,
    );
    if (closing) await unlessOver(this.#timeouts, this.settings.timeout, undefined, closing);
  }

  async #once({ driver }: Opened, request: LockRequest): Promise<LockTurn | LockBusy> {
    const since = this.settings.clock.monotonic();
    const reply = await within(this.#timeouts, this.settings.timeout, driver.acquire(request));
    return reply.granted ? { ...reply, validUntil: since + request.ttl } : reply;
  }

  /** Re-checked after every wait, however short: a lease may not be believed in because it was granted once. */
  #isValid({ validUntil }: LockTurn, { ttl }: LockRequest): boolean {
    return this.settings.clock.monotonic() < validUntil - driftOf(ttl);
  }

  #call<T>(operation: LockOperation, run: (opened: Opened) => Promise<T>): Promise<T> {
    const failed = (error: unknown): CacheOpsError => {
      this.#failed(operation, error);
      return asDriverError(error);
    };
    const call = (opened: Opened): Promise<T> => {
      try {
        return within(this.#timeouts, this.settings.timeout, run(opened), failed);
      } catch (error) {
        // A driver that throws instead of rejecting.
        return Promise.reject(failed(error));
      }
    };
    if (this.#opened) return call(this.#opened);
    return this.#open().then(call, (error: unknown) => Promise.reject(failed(error)));
  }

  /** Whether the last attempt was granted is not known. */
  #givenUp(request: LockRequest, error: unknown): CacheOpsError {
    this.giveBack(request);
    return asDriverError(error);
  }

  #failed(operation: LockOperation, error: unknown): void {
    this.settings.instrumentation.error(operation, error);
  }

  async #open(): Promise<Opened> {
    if (this.#closed) throw new CacheOpsError('DRIVER', 'the lock service was closed');
    this.#opening ??= this.settings.open().then(
      (driver) => this.#use(driver),
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    const opened = await within(this.#timeouts, this.settings.timeout, this.#opening);
    if (!this.#closed) this.#opened = opened;
    return opened;
  }

  #use(driver: LockDriver): Opened {
    if (driver.acquireInTurn) {
      return { driver, inTurn: driver.acquireInTurn.bind(driver), line: undefined };
    }
    const line = new PollingLine(driver, this.settings);
    return { driver, inTurn: line.acquireInTurn.bind(line), line };
  }
}

/** A mistake of the caller is one at every attempt. */
const isTransient = (error: unknown): boolean => !(error instanceof CacheOpsError) || error.code === 'DRIVER';

function asDriverError(error: unknown): CacheOpsError {
  if (error instanceof CacheOpsError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CacheOpsError('DRIVER', `the lock backend failed: ${reason}`, { cause: error });
}
