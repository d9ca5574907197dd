import type { Stamp } from '../../core/stamp.js';
import { EVERYTHING, rowsToken, type Token, tableToken } from '../../core/token.js';
import type { CacheDriver, TokenState } from '../../drivers/cache-driver.interface.js';

/** One driver under test, with an empty backend of its own. */
export interface CacheDriverSubject {
  readonly driver: CacheDriver;
  /** Lets this much time pass for the backend; a backend that cannot be told waits. */
  elapse(ms: number): Promise<void>;
  /** Called after each test; the suite has closed nothing. */
  dispose(): Promise<void>;
}

export const TTL = 60_000;
/** Short enough to be waited for, long enough not to run out under the test that needs it. */
export const SHORT = 150;
export const TABLE = 'shop.item';
export const ROWS = rowsToken(TABLE, { columns: ['a'], reads: '*' }, ['1']);
export const TOKENS: readonly Token[] = [EVERYTHING, tableToken(TABLE), ROWS];

export const isStamp = (state: TokenState): state is Stamp => state !== undefined && state !== 'pending';

/** The subject of the running test, and short forms of what the tests ask of it. */
export class Harness {
  #subject: CacheDriverSubject | undefined;

  async begin(create: () => Promise<CacheDriverSubject>): Promise<void> {
    this.#subject = await create();
  }

  async end(): Promise<void> {
    await this.#subject?.dispose();
    this.#subject = undefined;
  }

  get driver(): CacheDriver {
    return this.#current.driver;
  }

  elapse(ms: number): Promise<void> {
    return this.#current.elapse(ms);
  }

  pin(
    tokens: readonly Token[] = TOKENS,
    shapes: readonly string[] = [],
    ttl = TTL,
  ): Promise<readonly TokenState[]> {
    return this.driver.pin({ tokens, shapes: shapes.map((shape) => ({ table: TABLE, shape })), ttl });
  }

  async pinned(tokens: readonly Token[] = TOKENS, ttl = TTL): Promise<Stamp[]> {
    return (await this.pin(tokens, [], ttl)).filter(isStamp);
  }

  async states(tokens: readonly Token[] = TOKENS): Promise<readonly TokenState[]> {
    return (await this.driver.read('', tokens)).states;
  }

  store(key: string, text: string, stamps: readonly Stamp[], tokens = TOKENS, ttl = TTL): Promise<boolean> {
    return this.driver.write({ key, entry: Buffer.from(text), tokens, stamps, ttl });
  }

  pend(
    writer: string,
    tokens: readonly Token[],
    version?: string,
    ttl = TTL,
  ): ReturnType<CacheDriver['pend']> {
    const registries = new Map(version === undefined ? [] : [[TABLE, version]]);
    return this.driver.pend({ writer, tokens, registries, ttl });
  }

  settle(writer: string, tokens: readonly Token[], tables: readonly string[] = []): Promise<void> {
    return this.driver.settle({ writer, tokens, tables });
  }

  async version(): Promise<string | undefined> {
    return (await this.driver.registries([TABLE])).get(TABLE)?.version;
  }

  async shapes(): Promise<string[]> {
    return [...((await this.driver.registries([TABLE])).get(TABLE)?.shapes ?? [])].sort();
  }

  get #current(): CacheDriverSubject {
    if (this.#subject === undefined) throw new Error('no test is running');
    return this.#subject;
  }
}
