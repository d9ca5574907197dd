import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { type Scheduler, systemScheduler } from '../../core/clock.js';
import type { LockWatch } from '../lock-driver.interface.js';
import { idOf } from '../typeorm/plain-text.js';
import { PostgresSubscriber } from './postgres.subscriber.js';
import { WakeUps } from './wake-ups.js';

/** The channel of all notices; what is sent is the id of a lock. */
export const NOTICES = 'cacheops_lock';

/** Milliseconds for which the connection is kept when nobody watches. */
const IDLE = 30_000;

const HOLD = 'SELECT pg_advisory_lock_shared($1)';
const LET_GO = 'SELECT CAST(pg_advisory_unlock_shared($1) AS text)';

/** The advisory lock that those who wait for the lock with this id share. */
export const waitersKeyOf = (id: string): string =>
  String(createHash('sha256').update(`waiters ${id}`).digest().readBigInt64BE(0));

/** Those of this process who watch one lock. */
interface Watched {
  readonly listeners: Set<() => void>;
  isAnnounced: boolean;
}

/**
 * Tells those who wait that a lock may be free, by LISTEN and NOTIFY, on one connection for the process.
 *
 * Whoever releases a lock sends a notice only if somebody watches it, which it finds out without another statement: who
 * watches shares an advisory lock, and who releases tries to have it alone. The order of steps leaves no gap:
 *
 *   watch: LISTEN, share the advisory lock, ask         release: change the row, try the advisory lock, notify, commit
 *
 * If the attempt succeeds, the watcher gets its share after the commit only, and asks after that. The share ends with
 * the connection, so nobody who has died is told anything.
 */
export class PostgresNotices {
  readonly #watched = new Map<string, Watched>();
  #wakeUps: WakeUps | undefined;
  #subscriber: PostgresSubscriber | undefined;
  #stopIdling: (() => void) | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly scheduler: Scheduler = systemScheduler,
  ) {}

  /** @param heard called when one of the names may have become free, or `isUp` has changed */
  watch(names: readonly string[], heard: () => void): LockWatch {
    const ids = names.map(idOf);
    // One for each watch: the same function may be given twice.
    const listener = (): void => heard();
    for (const id of ids) this.#enter(id, listener);
    this.#stopIdling?.();
    this.#wakeUps ??= this.#open();
    const watched = this.#watched;
    return {
      get isUp() {
        return ids.every((id) => watched.get(id)?.isAnnounced);
      },
      close: () => {
        for (const id of ids) this.#leave(id, listener);
      },
    };
  }

  close(): void {
    this.#stopIdling?.();
    this.#wakeUps?.close();
    this.#wakeUps = undefined;
  }

  #open(): WakeUps {
    const wakeUps: WakeUps = new WakeUps({
      connect: () => (this.#subscriber = new PostgresSubscriber(this.dataSource)),
      channel: NOTICES,
      scheduler: this.scheduler,
      onMessage: (id) => this.#tell(id),
      onChange: () => this.#changed(wakeUps.isUp),
    });
    void wakeUps.open();
    return wakeUps;
  }

  #enter(id: string, listener: () => void): void {
    const watched = this.#watched.get(id);
    if (watched) return void watched.listeners.add(listener);
    this.#watched.set(id, { listeners: new Set([listener]), isAnnounced: false });
    if (this.#wakeUps?.isUp) void this.#announce(id);
  }

  #leave(id: string, listener: () => void): void {
    const watched = this.#watched.get(id);
    if (!watched?.listeners.delete(listener) || watched.listeners.size > 0) return;
    this.#watched.delete(id);
    if (this.#wakeUps?.isUp) void this.#ask(LET_GO, id);
    if (this.#watched.size === 0) this.#stopIdling = this.scheduler.schedule(IDLE, () => this.close(), true);
  }

  #changed(isUp: boolean): void {
    for (const [id, watched] of this.#watched) {
      watched.isAnnounced = false;
      if (isUp) void this.#announce(id);
      else this.#tell(id);
    }
  }

  async #announce(id: string): Promise<void> {
    const [watched, subscriber] = [this.#watched.get(id), this.#subscriber];
    const isHeld = await this.#ask(HOLD, id);
    // Somebody else may watch by now, or over another connection.
    if (!isHeld || !watched || watched !== this.#watched.get(id) || subscriber !== this.#subscriber) return;
    watched.isAnnounced = true;
    this.#tell(id);
  }

  /** On the connection that listens; one that fails is given up. */
  async #ask(sql: string, id: string): Promise<boolean> {
    const subscriber = this.#subscriber;
    try {
      await subscriber?.query(sql, [waitersKeyOf(id)]);
      return true;
    } catch {
      subscriber?.disconnect();
      return false;
    }
  }

  #tell(id: string): void {
    for (const listener of this.#watched.get(id)?.listeners ?? []) listener();
  }
}
