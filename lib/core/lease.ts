import type { BusSource, BusListener, InvalidationBus } from '../drivers/bus.interface.js';
import type { CacheDriver } from '../drivers/cache-driver.interface.js';
import { newStamp } from './stamp.js';
import { leaseToken, type Token } from './token.js';

export interface LeaseSettings {
  /** Milliseconds for which others wait for a process that has died while it loads. */
  readonly ttl: number;
  /** Milliseconds between looks at a lease while nobody tells when it is given back. */
  readonly poll: number;
}

export const LEASE: LeaseSettings = { ttl: 3_000, poll: 50 };

/** Milliseconds by which the bus may be behind; a message that it lost costs no more than a look at the lease. */
const MAX_LAG = 10_000;

/** The right to load an entry while others wait. */
export interface Lease {
  /** Lets the others go on. Never rejects, and need not be waited for. */
  release(): void;
}

/** Someone who waits for a lease to be given back. */
export interface Waiting {
  /** @returns true when it was given back, false when it is worth to look again for another reason */
  until(ms: number): Promise<boolean>;
  end(): void;
}

/**
 * Leases of entries: who has one keeps it by renewing it until the load is over, or until its process dies. Those who
 * wait are woken by the bus, which is opened when somebody first has to wait; while it is not there they look.
 */
export class Leases {
  private readonly waiting = new Map<Token, Set<(given: boolean) => void>>();
  private bus: InvalidationBus | undefined;
  private hears = false;

  constructor(
    private readonly driver: Pick<CacheDriver, 'lease' | 'unlease'>,
    private readonly settings: LeaseSettings,
    private readonly buses: BusSource | undefined,
  ) {}

  /**
   * @returns the lease, or for how many milliseconds it is somebody else's unless renewed. Rejects when the backend fails
   */
  async take(key: string): Promise<Lease | number> {
    const { ttl } = this.settings;
    const owner = newStamp();
    const rest = await this.driver.lease({ key, owner, ttl });
    if (rest > 0) return rest;
    // Lost by a stall, it may be somebody else's now: then both load, and each stores under its own stamps.
    const renew = (): void => void this.driver.lease({ key, owner, ttl }).catch(() => undefined);
    const timer = setInterval(renew, ttl / 3).unref();
    return {
      release: () => {
        clearInterval(timer);
        this.driver.unlease({ key, owner }).catch(() => undefined);
      },
    };
  }

  /** To be asked for before `take`, so that no release between the two is missed. */
  expect(key: string): Waiting {
    const token = leaseToken(key);
    let wake: (given: boolean) => void = () => undefined;
    const woken = new Promise<boolean>((resolve) => (wake = resolve));
    const all = this.waiting.get(token);
    if (all) all.add(wake);
    else this.waiting.set(token, new Set([wake]));
    return {
      until: (ms) => {
        this.open();
        const timer = setTimeout(wake, this.hears ? ms : Math.min(ms, this.settings.poll), false).unref();
        return woken.finally(() => clearTimeout(timer));
      },
      end: () => this.forget(token, wake),
    };
  }

  /** Those who wait look by themselves from now on. */
  async close(): Promise<void> {
    this.hears = false;
    await this.bus?.close();
  }

  private forget(token: Token, wake: (given: boolean) => void): void {
    const all = this.waiting.get(token);
    all?.delete(wake);
    if (all?.size === 0) this.waiting.delete(token);
  }

  private open(): void {
    if (this.bus || !this.buses) return;
    const listener: BusListener = {
      joined: () => (this.hears = true),
      invalidated: (tokens) => {
        for (const token of tokens) for (const wake of this.waiting.get(token) ?? []) wake(true);
      },
      lost: () => {
        this.hears = false;
        for (const all of this.waiting.values()) for (const wake of all) wake(false);
      },
    };
    try {
      this.bus = this.buses.openBus(listener, { maxLag: MAX_LAG });
    } catch {
      // A client that can make no second connection: those who wait look.
      this.bus = { validUntil: 0, close: async () => undefined };
    }
  }
}
