import { newStamp } from './stamp.js';
import type { CacheDriver } from '../drivers/cache-driver.interface.js';

export interface LeaseSettings {
  /** Milliseconds for which others wait for a process that has died while it loads. */
  readonly ttl: number;
  /** Milliseconds between looks at a lease while nobody tells when it is given back. */
  readonly poll: number;
}

export const LEASE: LeaseSettings = { ttl: 3_000, poll: 50 };

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

/** Leases of entries: who has one keeps it by renewing it until the load is over, or until its process dies. */
export class Leases {
  constructor(
    private readonly driver: Pick<CacheDriver, 'lease' | 'unlease'>,
    private readonly settings: LeaseSettings,
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
  expect(_key: string): Waiting {
    return {
      until: (ms) =>
        new Promise((resolve) => {
          setTimeout(() => resolve(false), Math.min(ms, this.settings.poll)).unref();
        }),
      end: () => undefined,
    };
  }
}
