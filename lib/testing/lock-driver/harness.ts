import type {
  LockBusy,
  LockDriver,
  LockGrant,
  LockLease,
  LockMode,
  LockPatience,
  LockRequest,
  LockTurn,
} from '../../locks/lock-driver.interface.js';

/** One driver under test, with an empty backend of its own. */
export interface LockDriverSubject {
  readonly driver: LockDriver;
  /** A second driver over the same backend, as another process would have it; the same one for `scope: 'process'`. */
  readonly other: LockDriver;
  /** Lets this much time pass for the backend; a backend that cannot be told waits. */
  elapse(ms: number): Promise<void>;
  /** Called after each test; the suite has closed nothing. */
  dispose(): Promise<void>;
}

/** A lease that does not run out while a test is going on. */
export const LONG = 60_000;

/** The subject of the running test, and short forms of what the tests ask of it. */
export class LockHarness {
  #subject: LockDriverSubject | undefined;
  #owners = 0;

  async begin(create: () => Promise<LockDriverSubject>): Promise<void> {
    this.#subject = await create();
  }

  async end(): Promise<void> {
    await this.#subject?.dispose();
    this.#subject = undefined;
  }

  get driver(): LockDriver {
    return this.#current.driver;
  }

  get other(): LockDriver {
    return this.#current.other;
  }

  /** Milliseconds: short enough to be waited for. It may run out at any time: see `inTime`. */
  get short(): number {
    return Math.max(200, this.driver.capabilities.resolution);
  }

  /** Waits until a lease is over, however it is rounded. */
  async expire(ttl = this.short): Promise<void> {
    await this.#current.elapse(ttl + this.driver.capabilities.resolution + 20);
  }

  /**
   * Runs what holds only as long as a short lease lasts. On a machine that was too busy to get through it in that time
   * it proves nothing, and is done anew, with a longer one.
   *
   * @param attempt with a name of its own
   */
  async inTime<T>(attempt: (name: string, ttl: number) => Promise<T>): Promise<T> {
    for (let ttl = this.short; ; ttl *= 2) {
      const since = performance.now();
      try {
        return await attempt(`for ${ttl} ms`, ttl);
      } catch (error) {
        if (performance.now() - since < ttl) throw error;
      }
    }
  }

  supports(mode: LockMode): boolean {
    return this.driver.capabilities.modes.includes(mode);
  }

  request(names: string | readonly string[], options: Partial<LockRequest> = {}): LockRequest {
    const list = typeof names === 'string' ? [names] : names;
    const owner = `owner-${++this.#owners}`;
    return { names: list, owner, mode: 'exclusive', limit: 1, ttl: LONG, metadata: '', ...options };
  }

  /** The lease of an attempt that must succeed. */
  async hold(
    names: string | readonly string[],
    options: Partial<LockRequest> = {},
  ): Promise<LockLease & { token: number }> {
    const request = this.request(names, options);
    const reply = await this.driver.acquire(request);
    if (!reply.granted) throw new Error(`${String(names)} should have been free`);
    return { names: request.names, owner: request.owner, token: reply.fencingToken ?? 0 };
  }

  try(names: string | readonly string[], options: Partial<LockRequest> = {}): Promise<LockGrant | LockBusy> {
    return this.other.acquire(this.request(names, options));
  }

  async isFree(name: string): Promise<boolean> {
    return (await this.driver.inspect(name)).holders.length === 0;
  }

  /** Stands in line; only for drivers with `wakeUp: 'push'`. */
  turn(request: LockRequest, patience: Partial<LockPatience> = {}): Promise<LockTurn | LockBusy> {
    const { driver } = this;
    if (!driver.acquireInTurn) throw new Error('a driver with wakeUp "push" has acquireInTurn');
    return driver.acquireInTurn(request, { wait: LONG, ...patience });
  }

  /**
   * Resolves when this many stand in line for the name.
   * @param turn of one who may not stand there for so long; resolves then, too
   */
  async inLine(name: string, count: number, turn?: Promise<unknown>): Promise<void> {
    let isOver = false;
    const end = (): void => void (isOver = true);
    turn?.then(end, end);
    while (!isOver && (await this.driver.inspect(name)).waiting !== count)
      await new Promise((resolve) => setImmediate(resolve));
  }

  get #current(): LockDriverSubject {
    if (this.#subject === undefined) throw new Error('no test is running');
    return this.#subject;
  }
}
