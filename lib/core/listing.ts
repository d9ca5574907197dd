import { CacheOpsError } from '../cacheops.errors.js';
import type { CacheDriver, EntryHead } from '../drivers/cache-driver.interface.js';
import { isEntry, openEntry, stampsOf } from './entry.js';
import type { Token } from './token.js';

/** What an entry depends on, if it carries its token list and the list has this token. */
export function headOf(key: string, entry: Buffer | undefined, token: Token): EntryHead | undefined {
  if (entry === undefined || !isEntry(entry)) return undefined;
  const { tokens } = openEntry(entry);
  return tokens?.includes(token) ? { key, tokens, stamps: stampsOf(entry) } : undefined;
}

/**
 * The keys of the entries that carry their token list, depend on this token and are fresh. It looks at every entry of
 * the backend, page by page; what is stored meanwhile may be missing.
 * @throws CacheOpsError `DRIVER` when the backend fails, or cannot be looked through
 */
export async function* freshKeys(driver: CacheDriver, token: Token): AsyncGenerator<string> {
  const { listing } = driver;
  if (!listing) throw new CacheOpsError('DRIVER', 'The entries of this driver cannot be listed.');
  const told = new Set<string>();
  let cursor = '';
  do {
    const page = await listing.scan(cursor);
    const heads = page.keys.length === 0 ? [] : await listing.heads(page.keys, token);
    for (const key of await freshOf(driver, heads)) {
      if (!told.has(key)) yield key;
      told.add(key);
    }
    ({ cursor } = page);
  } while (cursor !== '');
}

async function freshOf(driver: CacheDriver, heads: readonly EntryHead[]): Promise<readonly string[]> {
  const tokens = [...new Set(heads.flatMap((head) => head.tokens))];
  const states = await driver.states(tokens);
  const now = new Map(tokens.map((token, i) => [token, states[i]]));
  return heads
    .filter((head) => head.tokens.every((token, i) => now.get(token) === head.stamps[i]))
    .map(({ key }) => key);
}
