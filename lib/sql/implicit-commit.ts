import type { SqlDialect } from './sql.types.js';
import { tokenize, type SqlToken } from './tokenizer.js';

/** Leading words of the statements that end MySQL's open transaction before, or after, they run. */
const COMMITTING = [
  'ALTER|RENAME|TRUNCATE|GRANT|REVOKE|FLUSH|INSTALL|UNINSTALL|BEGIN|START|STOP',
  '(?:CREATE|DROP)(?! (?:OR REPLACE )?TEMPORARY)',
  '(?:ANALYZE|OPTIMIZE|REPAIR|CHECK)(?: LOCAL| NO_WRITE_TO_BINLOG)? TABLES?',
  'CHECK VIEW|CACHE INDEX|LOAD INDEX|CHANGE (?:MASTER|REPLICATION)|RESET(?! PERSIST)|SET PASSWORD|SET DEFAULT ROLE',
  '(?:LOCK|UNLOCK) TABLES?',
].join('|');
const LEADING = new RegExp(`^(?:${COMMITTING})\\b`);
const OFF = new Set(['0', 'OFF', 'FALSE']);
/** As many words as `COMMITTING` looks at. */
const WORDS = 4;

/**
 * Whether a statement ends the transaction that is open by committing it. Only MySQL does this; PostgreSQL and SQLite
 * run definitions inside the transaction. `true` also where it depends on the state of the session (`UNLOCK TABLES`
 * commits only what began after `LOCK TABLES`, `SET autocommit = 1` only when it was off) and for the text of an
 * executable comment, so that nobody may rely on the transaction being over.
 */
export function commitsImplicitly(sql: string, dialect: SqlDialect): boolean {
  if (dialect !== 'mysql') return false;
  const { tokens, executableComment } = tokenize(sql, dialect);
  if (executableComment && /^\s*\/\*M?!/.test(sql)) return true;
  return statementsOf(tokens).some(
    (statement) => LEADING.test(leadingWords(statement)) || turnsOn(statement),
  );
}

function statementsOf(tokens: readonly SqlToken[]): readonly (readonly SqlToken[])[] {
  const ends = tokens.flatMap(({ kind, text }, i) => (kind === 'punctuation' && text === ';' ? [i] : []));
  return [...ends, tokens.length].map((end, i) =>
    tokens.slice(i === 0 ? 0 : (ends[i - 1] as number) + 1, end),
  );
}

function leadingWords(statement: readonly SqlToken[]): string {
  const words: string[] = [];
  for (const { kind, text } of statement.slice(0, WORDS)) {
    if (kind !== 'word') break;
    words.push(text);
  }
  return words.join(' ');
}

/** `SET autocommit = 1` in any of its forms, for this session. */
function turnsOn(statement: readonly SqlToken[]): boolean {
  if (statement[0]?.text !== 'SET') return false;
  return statement.some(({ text }, i) => {
    if (text.toUpperCase() !== 'AUTOCOMMIT') return false;
    const before = statement.slice(Math.max(0, i - 2), i).map((token) => token.text);
    if (before.includes('GLOBAL')) return false;
    const value = statement.slice(i + 1).find((token) => token.text !== '=' && token.text !== ':');
    return value !== undefined && !OFF.has(value.text.toUpperCase());
  });
}
