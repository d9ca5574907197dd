import { CacheOpsError } from '../cacheops.errors.js';
import type { CacheContext } from '../core/cache-context.js';
import type { Instrumentation } from '../core/instrumentation.js';
import { newStamp } from '../core/stamp.js';
import { EVERYTHING, tableToken, type Token } from '../core/token.js';
import type { CacheDriver, ShapeRegistry } from '../drivers/cache-driver.interface.js';
import { AmbientTransaction } from './ambient-transaction.js';
import { tokensOf } from './effect.js';
import { RegistryCache } from './registry-cache.js';
import type { Changes } from './transaction-frames.js';

export interface InvalidatorSettings {
  /** Milliseconds a writer's marks live if it never settles: longer than a COMMIT can take. */
  readonly pendTtl: number;
  /** `fail`: a write whose invalidation cannot be announced is refused. `degrade`: it goes ahead, and is made good. */
  readonly onRedisFailure: 'degrade' | 'fail';
  /** Milliseconds by which a replica that loads read from may be behind: for so long after a change nothing is stored. */
  readonly replicaLag?: number;
}

/** Marks that are set; `settle` must follow, whatever became of the commit. */
export interface Pending {
  /** `undefined`: the marks could not be set; the tokens are restamped after the commit instead. */
  readonly writer: string | undefined;
  readonly tokens: readonly Token[];
  readonly tables: readonly string[];
}

type Send = (
  tokens: readonly Token[],
  registries: ReadonlyMap<string, string>,
) => Promise<ReadonlyMap<string, ShapeRegistry> | undefined>;

/** Asks for what the images lack, once the registries of the backend are known to be others. */
export type Complete = (changes: Changes) => Promise<Changes>;

/** Each mismatch means that a reader brought a new shape in between; more than this in a row is not plausible. */
const MAX_ATTEMPTS = 4;
const MAX_TOKENS = 5000;

/**
 * Two-phase invalidation. `pend` before COMMIT marks every token of the transaction; from then on readers miss and do
 * not store. `settle` after it takes the marks away and with them the stamps. A process that dies between the two
 * leaves marks that run out, and a token without stamp is a miss: no invalidation is lost to a crash.
 */
export class Invalidator {
  readonly registries: RegistryCache;
  private readonly settling = new Set<Promise<void>>();

  constructor(
    private readonly driver: CacheDriver,
    private readonly context: CacheContext,
    private readonly instrumentation: Instrumentation,
    private readonly settings: InvalidatorSettings,
  ) {
    this.registries = new RegistryCache(driver);
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
  async pend(changes: Changes, complete?: Complete): Promise<Pending | undefined> {
    if (isNone(changes)) return undefined;
    try {
      return await this.mark(changes, complete);
    } catch (error) {
      this.instrumentation.error('pend', error);
      if (this.settings.onRedisFailure === 'degrade') return unmarked(changes);
      throw new CacheOpsError(
        'INVALIDATION',
        'the invalidation could not be announced; the write was refused',
        {
          cause: error,
        },
      );
    }
  }

  /**
   * Not awaited on the critical path: the marks already keep readers away.
   * @param delivered told when the backend has it; not at all when it could not be told
   */
  settle(pending: Pending | undefined, delivered?: () => void): void {
    if (!pending) return;
    this.instrumentation.invalidate(pending.tokens);
    const finished = this.settings.replicaLag
      ? this.caughtUp(pending).then(() => this.finish(pending))
      : this.finish(pending);
    const done: Promise<void> = (delivered ? finished.then(delivered) : finished)
      .catch((error: unknown) => this.instrumentation.error('settle', error))
      .finally(() => this.settling.delete(done));
    this.settling.add(done);
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
      await this.restamp(coarse(changes, tablesOf(changes)));
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
    await this.delivered('settle', this.finish(pending));
  }

  /**
   * As `apply`, for who keeps the changes until they are delivered.
   * @throws when the backend has not got them, whatever `onRedisFailure` says
   */
  async deliver(changes: Changes): Promise<void> {
    const pending = await this.pend(changes);
    if (!pending) return;
    this.instrumentation.invalidate(pending.tokens);
    await this.finish(pending);
  }

  /** Waits for the settles under way; for shutdown. */
  async drain(): Promise<void> {
    await Promise.all(this.settling);
  }

  /**
   * Waits until the replicas have what was committed: until then the marks keep their readers from storing. What could
   * not be marked is made stale now, and once more after the wait.
   */
  private async caughtUp({ writer, tokens }: Pending): Promise<void> {
    if (writer === undefined) await this.driver.restamp(tokens).catch(() => undefined);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, this.settings.replicaLag).unref();
    });
  }

  private finish({ writer, tokens, tables }: Pending): Promise<void> {
    return writer === undefined
      ? this.driver.restamp(tokens)
      : this.driver.settle({ writer, tokens, tables });
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

  private async mark(changes: Changes, complete?: Complete): Promise<Pending> {
    const writer = newStamp();
    const { pendTtl, replicaLag = 0 } = this.settings;
    const ttl = pendTtl + replicaLag;
    const send: Send = (tokens, registries) => this.driver.pend({ writer, tokens, registries, ttl });
    const sent = await this.agreed(changes, send, complete);
    return { writer, ...sent };
  }

  /**
   * Sends the tokens of changes as they follow from the registries of the backend; `send` answers with those when they
   * are others than were known.
   */
  private async agreed(given: Changes, send: Send, complete?: Complete): Promise<Omit<Pending, 'writer'>> {
    let changes = given;
    const tables = tablesOf(changes);
    await this.registries.load(tables);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const tokens = this.tokens(changes, tables);
      const registries = new Map(tables.map((table) => [table, this.registries.get(table)?.version ?? '']));
      const current = await send(tokens, registries);
      if (!current) return { tokens, tables };
      this.registries.learn(current);
      if (complete) changes = await complete(changes);
    }
    // Needs no registry: every entry of a table depends on the table's own token.
    const tokens = coarse(changes, tables);
    await send(tokens, new Map());
    return { tokens, tables: [] };
  }

  private tokens(changes: Changes, tables: readonly string[]): readonly Token[] {
    const tokens = new Set<Token>(changes.tokens);
    if (tokens.has(EVERYTHING)) return [EVERYTHING];
    for (const table of tables) {
      // A registry that is not there may have been lost: its readers can only be reached through the table's token.
      if (this.registries.get(table)?.version === '') tokens.add(tableToken(table));
    }
    for (const effect of changes.effects) {
      if (tokens.has(tableToken(effect.table))) continue;
      for (const token of tokensOf(effect, this.registries.get(effect.table)?.shapes ?? []))
        tokens.add(token);
    }
    return tokens.size > MAX_TOKENS ? coarse(changes, tables) : [...tokens].sort();
  }
}

const isNone = ({ effects, tokens }: Changes): boolean => effects.length === 0 && tokens.size === 0;

const tablesOf = (changes: Changes): readonly string[] =>
  [...new Set(changes.effects.map((e) => e.table))].sort();

/** Tokens by table, for when the shapes are of no use. */
function coarse(changes: Changes, tables: readonly string[]): readonly Token[] {
  return [...new Set([...changes.tokens, ...tables.map(tableToken)])].sort();
}

/**
 * Degrade: the registries may be out of reach, so the tokens are those of the tables. They are restamped after the
 * commit, not now: a journal that is delivered before the COMMIT would let a reader store the old rows again.
 */
function unmarked(changes: Changes): Pending {
  return { writer: undefined, tokens: coarse(changes, tablesOf(changes)), tables: [] };
}
