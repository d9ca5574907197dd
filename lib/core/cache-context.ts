import { AsyncLocalStorage } from 'node:async_hooks';
import type { ReadTrace } from './read-trace.js';

interface ContextState {
  /** Reads go to the source; nothing is stored. */
  readonly bypass: boolean;
  /** Writes restamp nothing. */
  readonly silent: boolean;
  /** The fill whose load is running. */
  readonly fill?: FillScope;
  /** The transaction around the call, as whoever opened it knows it. */
  readonly transaction?: object;
}

/** What happens while a value is computed. */
interface FillScope {
  tainted: boolean;
  readonly trace: ReadTrace | undefined;
  readonly outer: FillScope | undefined;
}

const ON: ContextState = { bypass: false, silent: false };
const OFF: ContextState = { bypass: true, silent: true };

/**
 * Switches that follow the asynchronous call, never the process: two overlapping requests cannot see each other's
 * (django-concurrency's process-wide switch stayed off for ever after such an overlap).
 */
export class CacheContext {
  private readonly storage = new AsyncLocalStorage<ContextState>();
  private readonly initial: ContextState;

  /** @param enabled `false`: everything passes through, always */
  constructor(enabled = true) {
    this.initial = enabled ? ON : OFF;
  }

  get bypass(): boolean {
    return this.state.bypass;
  }

  get silent(): boolean {
    return this.state.silent;
  }

  withoutCache<T>(fn: () => T): T {
    return this.storage.run({ ...this.state, bypass: true }, fn);
  }

  withoutInvalidation<T>(fn: () => T): T {
    return this.storage.run({ ...this.state, silent: true }, fn);
  }

  /** Runs what a transaction consists of. */
  inTransaction<T>(transaction: object, fn: () => T): T {
    return this.storage.run({ ...this.state, transaction }, fn);
  }

  get transaction(): object | undefined {
    return this.storage.getStore()?.transaction;
  }

  /**
   * How a read stands: outside the cache, inside a load, or free. What a load reads must not be older than the stamps
   * that were pinned for it (law 1). One question, because each costs a twentieth of a hit in memory.
   */
  get standing(): 'bypass' | 'loading' | 'free' {
    const { bypass, fill } = this.state;
    if (bypass) return 'bypass';
    return fill === undefined ? 'free' : 'loading';
  }

  /** Takes the reads of the load that is running, if its value is to depend on them. */
  get trace(): ReadTrace | undefined {
    return this.storage.getStore()?.fill?.trace;
  }

  /**
   * Runs a load; tells whether it read anything that only its own transaction may see.
   * @param trace takes what it reads; without one, those reads concern nobody
   */
  async filling<T>(
    load: () => Promise<T>,
    trace?: ReadTrace,
  ): Promise<{ readonly value: T; readonly tainted: boolean }> {
    const fill: FillScope = { tainted: false, trace, outer: this.state.fill };
    const value = await this.storage.run({ ...this.state, fill }, load);
    return { value, tainted: fill.tainted };
  }

  /** Called by whatever reads what is not committed, or a snapshot: no load around it may be stored or shared (law 7). */
  taint(): void {
    for (let fill = this.storage.getStore()?.fill; fill; fill = fill.outer) fill.tainted = true;
  }

  /** Every storage that was ever entered costs something on each promise of the process, until it is disabled. */
  dispose(): void {
    this.storage.disable();
  }

  private get state(): ContextState {
    return this.storage.getStore() ?? this.initial;
  }
}
