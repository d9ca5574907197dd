import { PURE_FUNCTIONS, VOLATILE_FUNCTIONS } from './function-names.js';
import { ANY_ROW } from './conjunctions.js';
import { baseTables } from './read-collector.js';
import type { OpaqueAnalysis, ReadAnalysis, RelationFacts, SqlCatalog } from './sql.types.js';
import { isSystemRelation } from './system-relations.js';
import type { SqlToken } from './tokenizer.js';

const READ_WORDS = new Set(['SELECT', 'WITH', 'VALUES', 'TABLE', '(']);
const WRITE_WORDS = new Set(
  'INSERT UPDATE DELETE MERGE TRUNCATE CREATE ALTER DROP CALL EXECUTE EXEC DO COPY LOAD GRANT REVOKE RENAME INTO'.split(
    ' ',
  ),
);
const LOCK_WORDS = new Set(['LOCK', 'SHARE', 'SKIP', 'NOWAIT']);
/** Functions of the same name that only compute; followed by a parenthesis they are no writes. */
const ALSO_FUNCTIONS = new Set(['INSERT', 'TRUNCATE']);

const BEFORE_PARENTHESIS = new Set(
  `IN AND OR NOT EXISTS ANY ALL SOME AS OVER USING ON FROM JOIN BY FILTER WITHIN GROUP SELECT WHERE WHEN THEN ELSE UNION
  EXCEPT INTERSECT LATERAL HAVING DISTINCT BETWEEN LIKE GLOB REGEXP IS VALUES LIMIT OFFSET CASE MATERIALIZED AGAINST
  CHAR VARCHAR DECIMAL NUMERIC SIGNED BINARY COLLATE ONLY INDEX KEY`.split(/\s+/),
);

/**
 * A text that the parser does not understand. If it plainly only reads, it depends on any row of every known table
 * whose name occurs in it; otherwise it may have done anything.
 */
export function unparsed(tokens: readonly SqlToken[], catalog: SqlCatalog): ReadAnalysis | OpaqueAnalysis {
  const first = tokens[0]?.text ?? '';
  const writes = tokens.find(
    (token, i) => token.kind === 'word' && isWrite(token, tokens[i - 1], tokens[i + 1]),
  );
  if (!READ_WORDS.has(first) || writes)
    return { kind: 'opaque', reason: `not understood: ${writes?.text ?? first}` };
  const relations = relationsNamed(tokens, catalog);
  const tables = new Map<string, RelationFacts>();
  let refusal = refusalOf(tokens, catalog);
  for (const relation of relations) {
    const bases = baseTables(relation, catalog);
    if (!bases) refusal ??= `view ${relation.id} does not say what it depends on`;
    for (const base of bases ?? []) tables.set(base.id, base);
  }
  if (tables.size === 0) refusal ??= 'not understood, and no known table occurs in it';
  return {
    kind: 'read',
    tables: [...tables.keys()].map((table) => ({ table, conditions: ANY_ROW, reads: '*' })),
    ...(refusal !== undefined && { uncacheable: refusal }),
  };
}

/** `FOR UPDATE` locks and does not write. */
function isWrite(token: SqlToken, before: SqlToken | undefined, after: SqlToken | undefined): boolean {
  if (!WRITE_WORDS.has(token.text)) return false;
  if (token.text === 'UPDATE' && (before?.text === 'FOR' || before?.text === 'KEY')) return false;
  return !(ALSO_FUNCTIONS.has(token.text) && after?.text === '(');
}

function refusalOf(tokens: readonly SqlToken[], catalog: SqlCatalog): string | undefined {
  const locals = new Set(
    tokens.flatMap((token, i) => (isLocalName(tokens, i) ? [token.text.toLowerCase()] : [])),
  );
  for (const [i, token] of tokens.entries()) {
    if (token.text === '@' && catalog.dialect === 'mysql') return 'session variable';
    if (token.kind !== 'word' && token.kind !== 'quoted') continue;
    const name = token.text.toLowerCase();
    const next = tokens[i + 1]?.text;
    if (token.kind === 'word' && (LOCK_WORDS.has(token.text) || token.text === 'UPDATE'))
      return 'locking clause';
    if (VOLATILE_FUNCTIONS.has(name)) return `volatile function ${name}()`;
    if (isSystemRelation(next === '.' ? [name, ''] : [name], catalog.dialect)) return 'system catalogue';
    const isCall = next === '(' && !locals.has(name) && !BEFORE_PARENTHESIS.has(token.text);
    if (isCall && !PURE_FUNCTIONS.has(name)) return `unknown function ${name}()`;
    const isSource = /^(?:FROM|JOIN)$/.test(tokens[i - 1]?.text ?? '') && tokens[i - 1]?.kind === 'word';
    if (isSource && next !== '.' && !locals.has(name) && relationsNamed([token], catalog).length === 0) {
      return `unknown relation ${name}`;
    }
  }
  return undefined;
}

/** The name of a common table expression: `name AS (`, `name (a, b) AS (`. */
function isLocalName(tokens: readonly SqlToken[], at: number): boolean {
  const kind = tokens[at]?.kind;
  if (kind !== 'word' && kind !== 'quoted') return false;
  const before = tokens[at - 1]?.text;
  return (
    before === 'WITH' ||
    before === 'RECURSIVE' ||
    (tokens[at + 1]?.text === 'AS' && tokens[at + 2]?.text === '(')
  );
}

function relationsNamed(tokens: readonly SqlToken[], catalog: SqlCatalog): readonly RelationFacts[] {
  const names = new Set(
    tokens.filter(({ kind }) => kind === 'word' || kind === 'quoted').map(({ text }) => text.toLowerCase()),
  );
  return [...catalog.relations].filter(({ id }) => names.has((id.split(/[./]/).at(-1) ?? id).toLowerCase()));
}
