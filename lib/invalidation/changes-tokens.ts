import { EVERYTHING, tableToken, type Token } from '../core/token.js';
import { tokensOf } from './effect.js';
import type { RegistryCache } from './registry-cache.js';
import type { Changes } from './transaction-frames.js';

/** Beyond this many tokens those of the tables are cheaper than the list. */
const MAX_TOKENS = 5000;

export const isNone = ({ effects, tokens }: Changes): boolean => effects.length === 0 && tokens.size === 0;

export function tablesOf({ effects }: Changes): readonly string[] {
  const [first] = effects;
  // The most usual.
  if (first && effects.length === 1) return [first.table];
  return [...new Set(effects.map(({ table }) => table))].sort();
}

/** Tokens by table, for when the shapes are of no use. */
export const coarseTokens = (changes: Changes): readonly Token[] =>
  [...new Set([...changes.tokens, ...tablesOf(changes).map(tableToken)])].sort();

/**
 * What the changes make stale, as far as the registries of their tables are known.
 * @param tables those of the changes
 */
export function tokensOfChanges(
  changes: Changes,
  tables: readonly string[],
  registries: RegistryCache,
): readonly Token[] {
  if (changes.tokens.has(EVERYTHING)) return [EVERYTHING];
  const tokens = new Set<Token>(changes.tokens);
  for (const table of tables) {
    // A registry that is not there may have been lost: its readers can only be reached through the table's token.
    if (registries.get(table)?.version === '') tokens.add(tableToken(table));
  }
  for (const effect of changes.effects) {
    if (tokens.has(tableToken(effect.table))) continue;
    for (const token of tokensOf(effect, registries.get(effect.table)?.shapes ?? [])) tokens.add(token);
  }
  return tokens.size > MAX_TOKENS ? coarseTokens(changes) : [...tokens].sort();
}
