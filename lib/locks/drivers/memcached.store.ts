import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { MemcacheClient } from 'memcache-client';
import { CacheOpsError } from '../../cacheops.errors.js';

export interface StoredItem {
  readonly text: string;
  /** For `replace`. */
  readonly cas: string;
  /** Greater than that of everything that was written to the server before, also before it was restarted. */
  readonly stamp: number;
}

interface Found {
  readonly casUniq?: string | number;
  readonly value: unknown;
}

/** A server that writes more than this a second would overtake the clock. */
const WRITES_A_SECOND = 1_000_000;

/**
 * Seconds after its start from which a server is used (it begins to count at 2): stamps tell two starts apart only if
 * they are not in the same second.
 */
const SETTLED = 4;
const UNSETTLED_PAUSE_MS = 100;

const REFUSALS = new Set(['NOT_STORED', 'EXISTS', 'NOT_FOUND']);

/** The commands of memcached that locks need, each atomic. */
export class MemcachedStore {
  /** When the server began to which a socket is connected; a restarted server has other sockets. */
  private readonly starts = new WeakMap<Socket, number>();

  constructor(private readonly client: MemcacheClient) {}

  /** @returns whether the key was free */
  add(key: string, text: string, seconds: number): Promise<boolean> {
    return this.stored(() => this.client.add(key, text, { lifetime: seconds }));
  }

  /**
   * @param seconds -1: the item is gone at once
   * @returns false if it is not what it was when it was read
   */
  replace(key: string, text: string, seconds: number, cas: string): Promise<boolean> {
    return this.stored(() => this.client.cas(key, text, { lifetime: seconds, casUniq: cas }));
  }

  /** What is stored under the keys, in their order. */
  async read(keys: readonly string[]): Promise<readonly (StoredItem | undefined)[]> {
    for (;;) {
      const [found, socket] = await this.ask<Record<string, Found>>(`gets ${keys.join(' ')}`);
      const start = this.starts.get(socket) ?? (await this.learnStart(socket));
      if (start !== undefined) return keys.map((key) => itemOf(found[key], start));
    }
  }

  /** @returns `undefined` when the question went to another connection than the one it was about */
  private async learnStart(about: Socket): Promise<number | undefined> {
    for (;;) {
      const [{ STAT: rows = [] }, socket] = await this.ask<{ STAT?: string[][] }>('stats');
      const stats = new Map(rows.map(([name, value]) => [name, Number(value)]));
      const [time = NaN, uptime = NaN] = [stats.get('time'), stats.get('uptime')];
      if (uptime < SETTLED) {
        await pause(UNSETTLED_PAUSE_MS);
        continue;
      }
      this.starts.set(socket, time - uptime);
      return this.starts.get(about);
    }
  }

  private async ask<T>(command: string): Promise<[T, Socket]> {
    let asked: Socket | undefined;
    const reply = await this.guarded(() =>
      this.client.xsend((socket) => {
        asked = socket;
        socket?.write(`${command}\r\n`);
      }),
    );
    if (asked === undefined) throw new CacheOpsError('DRIVER', 'memcached is not connected');
    return [reply as T, asked];
  }

  private stored(command: () => Promise<unknown>): Promise<boolean> {
    return this.guarded(async () => {
      try {
        await command();
        return true;
      } catch (error) {
        if (REFUSALS.has((error as Error).message)) return false;
        throw error;
      }
    });
  }

  private async guarded<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (cause) {
      throw new CacheOpsError('DRIVER', `memcached: ${(cause as Error).message}`, { cause });
    }
  }
}

function itemOf(found: Found | undefined, start: number): StoredItem | undefined {
  if (!found) return undefined;
  const stamp = start * WRITES_A_SECOND + Number(found.casUniq);
  // Servers count writes unless they are told not to (-C).
  if (!Number.isSafeInteger(stamp) || Number(found.casUniq) === 0) {
    throw new CacheOpsError('DRIVER', 'this memcached has no CAS, which locks need');
  }
  return { text: String(found.value), cas: String(found.casUniq), stamp };
}
