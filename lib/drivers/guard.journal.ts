import { EVERYTHING, type Token } from '../core/token.js';
import type { CacheDriver, SettleRequest } from './cache-driver.interface.js';

const MOST = 10_000;

/**
 * Invalidations that could not be delivered. Beyond 10,000 tokens and keys it holds `*` instead of them all; marks of
 * writers that it forgets by that run out by themselves.
 */
export class Journal {
  #tokens = new Set<Token>();
  #settles = new Map<string, SettleRequest>();
  #keys = new Set<string>();
  #size = 0;

  get empty(): boolean {
    return this.#size === 0;
  }

  restamp(tokens: Iterable<Token>): void {
    for (const token of tokens) this.#add(this.#tokens, token);
  }

  delete(keys: Iterable<string>): void {
    for (const key of keys) this.#add(this.#keys, key);
  }

  /** A settle takes a stamp away also where no mark of the writer is left, so it serves for a failed `pend` too. */
  settle(request: SettleRequest): void {
    if (this.#tokens.has(EVERYTHING)) return;
    const known = this.#settles.get(request.writer);
    const tokens = [...new Set([...(known?.tokens ?? []), ...request.tokens])];
    const tables = [...new Set([...(known?.tables ?? []), ...request.tables])];
    this.#settles.set(request.writer, { writer: request.writer, tokens, tables });
    this.#size += 1 + tokens.length + tables.length;
    if (known !== undefined) this.#size -= 1 + known.tokens.length + known.tables.length;
    this.#widen();
  }

  /**
   * Tells the backend all that it holds, and forgets it; on failure it holds it again.
   * @param attempt starts work and gives it up in time
   */
  async deliver(
    backend: Pick<CacheDriver, 'settle' | 'restamp' | 'delete'>,
    attempt: (start: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const [tokens, settles, keys] = [this.#tokens, this.#settles, this.#keys];
    this.#empty();
    const work = [...settles.values()].map((request) => () => backend.settle(request));
    if (tokens.size > 0) work.push(() => backend.restamp([...tokens]));
    if (keys.size > 0) work.push(() => backend.delete([...keys]).then(() => undefined));
    try {
      await Promise.all(work.map(attempt));
    } catch (error) {
      this.restamp(tokens);
      this.delete(keys);
      for (const request of settles.values()) this.settle(request);
      throw error;
    }
  }

  #empty(): void {
    this.#tokens = new Set();
    this.#settles = new Map();
    this.#keys = new Set();
    this.#size = 0;
  }

  #add(set: Set<string>, text: string): void {
    if (this.#tokens.has(EVERYTHING) || set.has(text)) return;
    set.add(text);
    this.#size++;
    this.#widen();
  }

  #widen(): void {
    if (this.#size <= MOST) return;
    this.#empty();
    this.#tokens.add(EVERYTHING);
    this.#size = 1;
  }
}
