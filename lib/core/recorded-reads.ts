import type { CacheDriver, ReadReply } from '../drivers/cache-driver.interface.js';
import { isEntry, openEntry } from './entry.js';
import { coversTokens, sameTokens, type Token } from './token.js';

export interface RecordedReply extends ReadReply {
  /** The tokens whose states these are: the entry's own list, or those asked for. */
  readonly asked: readonly Token[];
}

const MAX_HINTS = 10_000;

/**
 * Reads entries that carry their token list, for readers that do not know it. The first read asks for the list that
 * the entry had when this process last saw it; only if it has another one by now, a second read asks for that.
 */
export class RecordedReads {
  private readonly hints = new Map<string, readonly Token[]>();

  constructor(private readonly driver: CacheDriver) {}

  /** @param least what the reader depends on in any case; an entry whose list lacks one of these is not returned */
  async read(key: string, least: readonly Token[]): Promise<RecordedReply> {
    const hint = this.hints.get(key);
    const asked = hint && coversTokens(hint, least) ? hint : least;
    const reply = await this.driver.read(key, asked);
    const own = ownTokens(reply);
    if (own === undefined || sameTokens(own, asked)) return this.checked(key, reply, asked, least);
    const second = await this.driver.read(key, own);
    const still = ownTokens(second);
    const entry = still && sameTokens(still, own) ? second.entry : undefined;
    return this.checked(key, { entry, states: second.states }, own, least);
  }

  private checked(
    key: string,
    reply: ReadReply,
    asked: readonly Token[],
    least: readonly Token[],
  ): RecordedReply {
    this.hints.delete(key);
    if (reply.entry === undefined || !coversTokens(asked, least))
      return { entry: undefined, states: reply.states, asked };
    this.hints.set(key, asked);
    if (this.hints.size > MAX_HINTS) this.hints.delete(this.hints.keys().next().value as string);
    return { ...reply, asked };
  }
}

const ownTokens = ({ entry }: ReadReply): readonly Token[] | undefined =>
  entry && isEntry(entry) ? openEntry(entry).tokens : undefined;
