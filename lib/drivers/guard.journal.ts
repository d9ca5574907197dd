import { EVERYTHING, type Token } from '../core/token.js';
import type { SettleRequest } from './cache-driver.interface.js';

/** Invalidations to deliver. */
export interface JournalBatch {
  readonly tokens: ReadonlySet<Token>;
  readonly settles: ReadonlyMap<string, SettleRequest>;
  readonly keys: ReadonlySet<string>;
}

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

  /** Empties the journal. */
  take(): JournalBatch {
    const batch = { tokens: this.#tokens, settles: this.#settles, keys: this.#keys };
    this.#tokens = new Set();
    this.#settles = new Map();
    this.#keys = new Set();
    this.#size = 0;
    return batch;
  }

  /** Puts a batch back that was taken and not delivered. */
  restore(batch: JournalBatch): void {
    this.restamp(batch.tokens);
    this.delete(batch.keys);
    for (const request of batch.settles.values()) this.settle(request);
  }

  #add(set: Set<string>, text: string): void {
    if (this.#tokens.has(EVERYTHING) || set.has(text)) return;
    set.add(text);
    this.#size++;
    this.#widen();
  }

  #widen(): void {
    if (this.#size <= MOST) return;
    this.take();
    this.#tokens.add(EVERYTHING);
    this.#size = 1;
  }
}
