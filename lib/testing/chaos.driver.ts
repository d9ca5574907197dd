import type {
  CacheDriver,
  ExpireRequest,
  LeaseRequest,
  PendRequest,
  PinRequest,
  ReadReply,
  SettleRequest,
  ShapeRegistry,
  TokenState,
  WriteRequest,
} from '../drivers/cache-driver.interface.js';
import type { Token } from '../core/token.js';

export type DriverMethod = Exclude<keyof CacheDriver, 'capabilities' | 'close'>;

/** A call that waits at the door of the backend, on its way in or out. */
export interface Barrier {
  /** Resolves when the call, or its reply, has arrived. */
  readonly reached: Promise<void>;
  /** Lets it go on. */
  release(): void;
}

type Fault = (run: () => Promise<unknown>) => Promise<unknown>;

/**
 * A driver that misbehaves on demand. Each fault takes the next call of one method that has no fault yet; what has
 * none passes to the driver inside.
 */
export class ChaosDriver implements CacheDriver {
  readonly capabilities: CacheDriver['capabilities'];
  /** Calls so far, failed ones included. */
  readonly calls: Record<DriverMethod, number> = {
    read: 0,
    states: 0,
    pin: 0,
    write: 0,
    pend: 0,
    settle: 0,
    restamp: 0,
    expire: 0,
    lease: 0,
    unlease: 0,
    registries: 0,
    delete: 0,
  };
  readonly #faults = new Map<DriverMethod, Fault[]>();

  constructor(private readonly inner: CacheDriver) {
    this.capabilities = inner.capabilities;
  }

  /** The next calls reject and do not reach the backend. */
  fail(method: DriverMethod, times = 1, error: Error = new Error(`chaos: ${method} failed`)): void {
    for (let i = 0; i < times; i++) this.#add(method, () => Promise.reject(error));
  }

  /** The next calls reach the backend, but their replies are lost: they reject. */
  loseReply(
    method: DriverMethod,
    times = 1,
    error: Error = new Error(`chaos: ${method} lost its reply`),
  ): void {
    const fault: Fault = async (run) => {
      await run();
      throw error;
    };
    for (let i = 0; i < times; i++) this.#add(method, fault);
  }

  /** The next calls never settle and do not reach the backend. */
  hang(method: DriverMethod, times = 1): void {
    for (let i = 0; i < times; i++) this.#add(method, () => new Promise(() => undefined));
  }

  /** The next call waits before it reaches the backend. */
  hold(method: DriverMethod): Barrier {
    return this.#barrier(method, 'before');
  }

  /** The next call reaches the backend, and its reply waits. */
  holdReply(method: DriverMethod): Barrier {
    return this.#barrier(method, 'after');
  }

  /** Takes back all faults that no call has met yet. */
  heal(): void {
    this.#faults.clear();
  }

  read(key: string, tokens: readonly Token[]): Promise<ReadReply> {
    return this.#pass('read', () => this.inner.read(key, tokens));
  }

  states(tokens: readonly Token[]): Promise<readonly TokenState[]> {
    return this.#pass('states', () => this.inner.states(tokens));
  }

  pin(request: PinRequest): Promise<readonly TokenState[]> {
    return this.#pass('pin', () => this.inner.pin(request));
  }

  write(request: WriteRequest): Promise<boolean> {
    return this.#pass('write', () => this.inner.write(request));
  }

  pend(request: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.#pass('pend', () => this.inner.pend(request));
  }

  settle(request: SettleRequest): Promise<void> {
    return this.#pass('settle', () => this.inner.settle(request));
  }

  restamp(tokens: readonly Token[]): Promise<void> {
    return this.#pass('restamp', () => this.inner.restamp(tokens));
  }

  expire(request: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.#pass('expire', () => this.inner.expire(request));
  }

  lease(request: LeaseRequest & { readonly ttl: number }): Promise<number> {
    return this.#pass('lease', () => this.inner.lease(request));
  }

  unlease(request: LeaseRequest): Promise<void> {
    return this.#pass('unlease', () => this.inner.unlease(request));
  }

  registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>> {
    return this.#pass('registries', () => this.inner.registries(tables));
  }

  delete(keys: readonly string[]): Promise<number> {
    return this.#pass('delete', () => this.inner.delete(keys));
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  #barrier(method: DriverMethod, when: 'before' | 'after'): Barrier {
    let arrive: () => void = () => undefined;
    let release: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    this.#add(method, async (run) => {
      const reply = when === 'after' ? await run() : undefined;
      arrive();
      await released;
      return when === 'after' ? reply : run();
    });
    return { reached, release };
  }

  #add(method: DriverMethod, fault: Fault): void {
    const faults = this.#faults.get(method);
    if (faults === undefined) this.#faults.set(method, [fault]);
    else faults.push(fault);
  }

  #pass<T>(method: DriverMethod, run: () => Promise<T>): Promise<T> {
    this.calls[method]++;
    const fault = this.#faults.get(method)?.shift();
    return fault === undefined ? run() : (fault(run) as Promise<T>);
  }
}
