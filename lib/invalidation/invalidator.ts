import { CacheOpsError } from '../cacheops.errors.js';
import type { CacheContext } from '../core/cache-context.js';
import type { Instrumentation } from '../core/instrumentation.js';
import { newStamp } from '../core/stamp.js';
import type { Token } from '../core/token.js';
import type { CacheDriver, ShapeRegistry } from '../drivers/cache-driver.interface.js';
import { AmbientTransaction } from './ambient-transaction.js';
import { coarseTokens, isNone, tablesOf, tokensOfChanges } from './changes-tokens.js';
import { RegistryCache } from './registry-cache.js';
import { type Moment, type Pending, Settler, type SettlerSettings } from './settler.js';
import type { Changes } from './transaction-frames.js';

export interface InvalidatorSettings extends SettlerSettings {
  /** `fail`: a write whose invalidation cannot be announced is refused. `degrade`: it goes ahead, and is made good. */
  readonly onRedisFailure: 'degrade' | 'fail';
}

type Announced = Pick<Pending, 'tokens' | 'tables'>;

type Send = (
  tokens: readonly Token[],
  registries: ReadonlyMap<string, string>,
) => Promise<ReadonlyMap<string, ShapeRegistry> | undefined>;

/** Asks for what the images lack, once the registries of the backend are known to be others. */
export type Complete = (changes: Changes) => Promise<Changes>;

/** Each mismatch means that a reader brought a new shape in between; more than this in a row is not plausible. */
const MAX_ATTEMPTS = 4;

/**
 * Two-phase invalidation. `pend` before COMMIT marks every token of the transaction; from then on readers miss and do
 * not store. `settle` after it takes the marks away and with them the stamps. A process that dies between the two
 * leaves marks that run out, and a token without stamp is a miss: no invalidation is lost to a crash.
 */
export class Invalidator {
  readonly registries: RegistryCache;
  private readonly settler: Settler;

  constructor(
    private readonly driver: CacheDriver,
    private readonly context: CacheContext,
    private readonly instrumentation: Instrumentation,
    private readonly settings: InvalidatorSettings,
  ) {
    this.registries = new RegistryCache(driver);
    this.settler = new Settler(driver, instrumentation, settings);
  }

  /** Whether writes of the current call restamp nothing (`withoutInvalidation`). */
  get silent(): boolean {
    return this.context.silent;
  }

  /**
   * Announces changes that are about to be committed.
   * @param complete may still be able to read the rows
   * @returns what to settle, or `undefined` when nothing changed
   * @throws CacheOpsError `INVALIDATION` when it could not be told and `onRedisFailure` is `fail`
   */
  pend(changes: Changes, complete?: Complete): Promise<Pending | undefined> {
    if (isNone(changes)) return Promise.resolve(undefined);
    const writer = newStamp();
    const moment = this.settler.moment();
    const { pendTtl, replicaLag = 0 } = this.settings;
    const ttl = pendTtl + replicaLag;
    const send: Send = (tokens, registries) => this.driver.pend({ writer, tokens, registries, ttl });
    return this.agreed(changes, send, complete).then(
      ({ tokens, tables }) => ({ writer, tokens, tables, moment }),
      (error: unknown) => this.unannounced(changes, error),
    );
  }

  private unannounced(changes: Changes, error: unknown): Pending {
    this.instrumentation.error('pend', error);
    if (this.settings.onRedisFailure === 'degrade') return unmarked(changes, this.settler.moment());
    throw new CacheOpsError(
      'INVALIDATION',
      'the invalidation could not be announced; the write was refused',
      { cause: error },
    );
  }

  /**
   * Takes the marks away again, see `Settler`.
   * @param delivered told when the backend has it; not at all when it could not be told
   * @returns what a writer has to wait for before it says that it has committed; `undefined`: nothing
   */
  settle(pending: Pending | undefined, delivered?: () => void): Promise<void> | undefined {
    if (!pending) return undefined;
    this.instrumentation.invalidate(pending.tokens);
    return this.settler.settle(pending, delivered);
  }

  /**
   * Announces what somebody says has changed: with the commit of the transaction around the call, else now.
   * @throws CacheOpsError `INVALIDATION` as `pend` does
   */
  async announce(changes: Changes): Promise<void> {
    if (this.context.silent || this.withCommit(changes)) return;
    const isBare = changes.effects.length === 0 && !this.settings.replicaLag;
    await (isBare ? this.restamp([...changes.tokens]) : this.apply(changes));
  }

  /** @returns false: there is no transaction around the call whose commit could announce it */
  withCommit(changes: Changes): boolean {
    const { transaction, silent } = this.context;
    return !silent && transaction instanceof AmbientTransaction && transaction.queue(changes);
  }

  /** Restamps now. */
  async restamp(tokens: readonly Token[]): Promise<void> {
    if (tokens.length === 0 || this.context.silent) return;
    this.instrumentation.invalidate(tokens);
    await this.delivered('restamp', this.driver.restamp(tokens));
  }

  /**
   * Makes what depends on these changes stale, but lets it be served in grace. What cannot be expired is invalidated:
   * when the backend is back, nobody knows how late it is; and the commit of a transaction around the call announces
   * no half-measures.
   * @throws CacheOpsError `INVALIDATION` when that fails too and `onRedisFailure` is `fail`
   */
  async expire(changes: Changes): Promise<void> {
    if (isNone(changes) || this.context.silent || this.withCommit(changes)) return;
    try {
      const { tokens } = await this.agreed(changes, (each, registries) =>
        this.driver.expire({ tokens: each, registries }),
      );
      this.instrumentation.expire(tokens);
    } catch (error) {
      this.instrumentation.error('expire', error);
      await this.restamp(coarseTokens(changes));
    }
  }

  /**
   * Announces changes that nobody saw, outside any transaction. The rows are known but the readers' shapes may have
   * changed meanwhile, so they are marked first: `pend` compares the registries.
   * @throws CacheOpsError `INVALIDATION` as `pend` does
   */
  async apply(changes: Changes): Promise<void> {
    const pending = this.context.silent ? undefined : await this.pend(changes);
    if (!pending) return;
    if (pending.writer !== undefined && this.settings.replicaLag) return this.settle(pending);
    this.instrumentation.invalidate(pending.tokens);
    await this.delivered('settle', this.settler.finish(pending));
  }

  /**
   * As `apply`, for who keeps the changes until they are delivered.
   * @throws when the backend has not got them, whatever `onRedisFailure` says
   */
  async deliver(changes: Changes): Promise<void> {
    const pending = await this.pend(changes);
    if (!pending) return;
    this.instrumentation.invalidate(pending.tokens);
    await this.settler.finish(pending);
  }

  /** Waits for the settles under way; for shutdown. */
  drain(): Promise<void> {
    return this.settler.drain();
  }

  private async delivered(operation: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.instrumentation.error(operation, error);
      if (this.settings.onRedisFailure === 'fail') {
        throw new CacheOpsError('INVALIDATION', 'the invalidation could not be delivered', { cause: error });
      }
    }
  }

  /**
   * Sends the tokens of changes as they follow from the registries of the backend; `send` answers with those when they
   * are others than were known.
   */
  private async agreed(given: Changes, send: Send, complete?: Complete): Promise<Announced> {
    let changes = given;
    const tables = tablesOf(changes);
    const loading = this.registries.load(tables);
    if (loading) await loading;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const tokens = tokensOfChanges(changes, tables, this.registries);
      const registries = new Map<string, string>();
      for (const table of tables) registries.set(table, this.registries.get(table)?.version ?? '');
      const current = await send(tokens, registries);
      if (!current) return { tokens, tables };
      this.registries.learn(current);
      if (complete) changes = await complete(changes);
    }
    // Needs no registry: every entry of a table depends on the table's own token.
    const tokens = coarseTokens(changes);
    await send(tokens, new Map());
    return { tokens, tables: [] };
  }
}

/**
 * Degrade: the registries may be out of reach, so the tokens are those of the tables. They are restamped after the
 * commit, not now: a journal that is delivered before the COMMIT would let a reader store the old rows again.
 */
function unmarked(changes: Changes, moment: Moment): Pending {
  return { writer: undefined, tokens: coarseTokens(changes), tables: [], moment };
}
