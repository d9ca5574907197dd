import { baseTables } from './read-collector.js';
import type { OpaqueAnalysis, RelationFacts, SqlCatalog, WriteAnalysis } from './sql.types.js';
import type { SqlToken } from './tokenizer.js';

/** What may stand between the verb and the object of a definition. */
const MODIFIERS = new Set(
  'OR REPLACE TEMPORARY TEMP GLOBAL LOCAL UNLOGGED FOREIGN MATERIALIZED VIRTUAL IF NOT EXISTS ONLY CONCURRENTLY IGNORE ONLINE'.split(
    ' ',
  ),
);
const VERBS = new Set(['CREATE', 'ALTER', 'DROP', 'TRUNCATE', 'RENAME', 'REFRESH', 'LOAD']);
const OBJECTS = new Set(['TABLE', 'TABLES', 'VIEW', 'SCHEMA', 'DATABASE']);

/**
 * Definitions and bulk statements, read from their words: every known table that such a statement names changes as a
 * whole. `undefined` when it is none.
 */
export function definitionEffects(
  tokens: readonly SqlToken[],
  catalog: SqlCatalog,
): WriteAnalysis | OpaqueAnalysis | undefined {
  const verb = tokens[0]?.text ?? '';
  if (tokens[0]?.kind !== 'word' || !VERBS.has(verb)) return undefined;
  const object = objectOf(tokens);
  if (object === undefined && verb !== 'TRUNCATE' && verb !== 'LOAD') return undefined;
  const cascades = tokens.some(({ kind, text }) => kind === 'word' && text === 'CASCADE');
  const everywhere = (cascades && verb !== 'ALTER') || object === 'SCHEMA' || object === 'DATABASE';
  return everywhere ? whole(tablesOf(catalog), catalog) : whole(named(tokens, catalog), catalog);
}

function objectOf(tokens: readonly SqlToken[]): string | undefined {
  const word = tokens.slice(1).find(({ kind, text }) => kind !== 'word' || !MODIFIERS.has(text));
  return word?.kind === 'word' && OBJECTS.has(word.text) ? word.text : undefined;
}

const tablesOf = (catalog: SqlCatalog): readonly RelationFacts[] =>
  [...catalog.relations].filter(({ kind }) => kind === 'table');

/** Relations whose path occurs in the text, at any place. */
function named(tokens: readonly SqlToken[], catalog: SqlCatalog): readonly RelationFacts[] {
  const found = new Map<string, RelationFacts>();
  tokens.forEach((_, at) => {
    const relation = relationAt(tokens, at, catalog);
    if (relation) found.set(relation.id, relation);
  });
  return [...found.values()];
}

/** The relation named by the dotted path that starts here. */
function relationAt(tokens: readonly SqlToken[], at: number, catalog: SqlCatalog): RelationFacts | undefined {
  const path: string[] = [];
  for (let i = at; i < tokens.length; i += 2) {
    const token = tokens[i] as SqlToken;
    if (token.kind !== 'word' && token.kind !== 'quoted') return undefined;
    path.push(token.kind === 'word' ? token.text.toLowerCase() : token.text);
    if (tokens[i + 1]?.text !== '.') break;
  }
  return catalog.find(path);
}

function whole(relations: readonly RelationFacts[], catalog: SqlCatalog): WriteAnalysis | OpaqueAnalysis {
  const ids = new Set<string>();
  for (const relation of relations) {
    const bases = baseTables(relation, catalog);
    if (!bases) return { kind: 'opaque', reason: `definition of view ${relation.id}` };
    for (const { id } of bases) ids.add(id);
  }
  return {
    kind: 'write',
    effects: [...ids].map((table) => ({ table, kind: 'table', columns: '*', returning: false })),
  };
}
