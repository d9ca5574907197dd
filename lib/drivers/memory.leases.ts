import { ExpiringMap } from './expiring-map.js';

/** Leases of the memory driver. */
export class MemoryLeases {
  readonly #leases = new ExpiringMap<{ readonly owner: string; readonly expires: number }>();

  /** @returns 0 when the lease is the owner's now, else the milliseconds it is still somebody else's */
  take(key: string, owner: string, ttl: number, now: number): number {
    const held = this.#leases.get(key, now);
    if (held !== undefined && held.owner !== owner) return held.expires - now;
    this.#leases.set(key, { owner, expires: now + ttl }, now);
    return 0;
  }

  /** @returns whether it was the owner's */
  give(key: string, owner: string, now: number): boolean {
    return this.#leases.get(key, now)?.owner === owner && this.#leases.delete(key);
  }

  reset(): void {
    this.#leases.clear();
  }
}
