/** A statement that changes how later transactions of the same database session behave. */
export type SessionChange =
  | {
      readonly kind: 'isolation';
      /** `transaction`: the one that is open, or the next one. `global`: sessions to come, not this one. */
      readonly scope: 'session' | 'transaction' | 'global';
      /** In lower case; `undefined`: back to the server's default. */
      readonly level: string | undefined;
    }
  | { readonly kind: 'autocommit'; readonly on: boolean };

const STANDARD =
  /^SET\s+(SESSION|GLOBAL)\s+(?:CHARACTERISTICS\s+AS\s+)?TRANSACTION\b.*?\bISOLATION\s+LEVEL\s+(READ\s+\w+|REPEATABLE\s+READ|SERIALIZABLE)/is;
const VARIABLE =
  /^SET\s+(SESSION\s+|GLOBAL\s+|LOCAL\s+|@@session\.|@@global\.|@@local\.|@@)?(default_transaction_isolation|transaction_isolation|tx_isolation)\s*(?:=|:=|\bTO\b)\s*(?:'([^']*)'|(DEFAULT|[\w-]+))/i;
const AUTOCOMMIT =
  /^SET\s+(?:SESSION\s+|@@session\.|@@local\.|@@)?autocommit\s*:?=\s*(0|1|ON|OFF|TRUE|FALSE)\b/i;
const RESET = /^(?:RESET\s+(?:ALL|default_transaction_isolation)|DISCARD\s+ALL)\b/i;

/** Reads a statement without leading comments. `SET TRANSACTION` without a scope is transaction control, not this. */
export function sessionChangeOf(sql: string): SessionChange | undefined {
  const text = sql.trim();
  const standard = STANDARD.exec(text);
  if (standard) {
    const scope = standard[1]?.toUpperCase() === 'GLOBAL' ? 'global' : 'session';
    return { kind: 'isolation', scope, level: levelOf(standard[2]) };
  }
  const variable = VARIABLE.exec(text);
  if (variable) {
    const scope = scopeOf(variable[1]?.trim().toLowerCase() ?? '', variable[2]?.toLowerCase() ?? '');
    return { kind: 'isolation', scope, level: levelOf(variable[3] ?? variable[4]) };
  }
  const autocommit = AUTOCOMMIT.exec(text)?.[1];
  if (autocommit !== undefined) return { kind: 'autocommit', on: /^(?:1|ON|TRUE)$/i.test(autocommit) };
  return RESET.test(text) ? { kind: 'isolation', scope: 'session', level: undefined } : undefined;
}

function scopeOf(prefix: string, variable: string): 'session' | 'transaction' | 'global' {
  if (prefix.includes('global')) return 'global';
  if (variable === 'default_transaction_isolation') return 'session';
  // PostgreSQL's transaction_isolation is the open transaction's; MySQL's bare `@@` form is the next transaction's.
  // MySQL's form without any prefix is the session's: taken for both, the stricter reading is the caller's.
  return prefix === '@@' || prefix === 'local' ? 'transaction' : 'session';
}

function levelOf(name: string | undefined): string | undefined {
  const level = name?.toLowerCase().replace(/[\s-]+/g, ' ');
  return level === 'default' ? undefined : level;
}
