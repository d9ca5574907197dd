import type { TransactionAnalysis } from './sql.types.js';

const LEVEL = /ISOLATION\s+LEVEL\s+(READ\s+UNCOMMITTED|READ\s+COMMITTED|REPEATABLE\s+READ|SERIALIZABLE)/i;
const NAME = '"(?:[^"]|"")+"|`(?:[^`]|``)+`|[\\w$]+';
const LAST_NAME = new RegExp(`(${NAME})$`);

type Action = TransactionAnalysis['action'];

/** First match wins; `ROLLBACK TO` stands before `ROLLBACK`. */
const FORMS: readonly (readonly [RegExp, Action])[] = [
  [
    /^(?:BEGIN(?:\s+(?:TRANSACTION|WORK|DEFERRED|IMMEDIATE|EXCLUSIVE|CONCURRENT))*|START\s+TRANSACTION)(?:\s.*)?$/is,
    'begin',
  ],
  [
    savepointForm(String.raw`(?:ROLLBACK|ABORT)(?:\s+(?:WORK|TRANSACTION))?\s+TO(?:\s+SAVEPOINT)?`),
    'rollback-to',
  ],
  [endForm('ROLLBACK|ABORT'), 'rollback'],
  [endForm('COMMIT|END'), 'commit'],
  [savepointForm('SAVEPOINT'), 'savepoint'],
  [savepointForm(String.raw`RELEASE(?:\s+SAVEPOINT)?`), 'release'],
  [/^SET\s+(?:(?:LOCAL|SESSION|GLOBAL)\s+)?(?:CHARACTERISTICS\s+AS\s+)?TRANSACTION\s.*$/is, 'isolation'],
];

const MAY_BE_TRANSACTION = /^(?:BEGIN|START|ROLLBACK|ABORT|COMMIT|END|SAVEPOINT|RELEASE|SET)\b/i;

function endForm(verbs: string): RegExp {
  return new RegExp(
    `^(?:${verbs})(?:\\s+(?:WORK|TRANSACTION))?(?:\\s+AND\\s+(?:NO\\s+)?CHAIN)?(?:\\s+(?:NO\\s+)?RELEASE)?$`,
    'i',
  );
}

/** The end of one transaction is the beginning of the next. */
const CHAIN = /\sAND\s+CHAIN\b/i;

function savepointForm(verb: string): RegExp {
  return new RegExp(`^${verb}\\s+(?:${NAME})$`, 'i');
}

/** Reads one statement, without comments around it, as transaction control. */
export function transactionOf(statement: string): TransactionAnalysis | undefined {
  if (!MAY_BE_TRANSACTION.test(statement)) return undefined;
  const action = FORMS.find(([form]) => form.test(statement))?.[1];
  if (!action) return undefined;
  const level = LEVEL.exec(statement)?.[1]?.toLowerCase().replace(/\s+/g, ' ');
  const named = action === 'savepoint' || action === 'release' || action === 'rollback-to';
  const name = named ? LAST_NAME.exec(statement)?.[1] : undefined;
  return {
    kind: 'transaction',
    action,
    ...(name !== undefined && { name: unquote(name) }),
    ...(level !== undefined && { isolation: level }),
    ...((action === 'commit' || action === 'rollback') && CHAIN.test(statement) && { chain: true }),
  };
}

function unquote(name: string): string {
  const quote = name[0];
  return quote === '"' || quote === '`' ? name.slice(1, -1).replaceAll(quote + quote, quote) : name;
}
