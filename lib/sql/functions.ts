import { isNode, nodeAt, nodesOf, pathOf, type Node } from './ast.js';
import { PURE_FUNCTIONS, SQLITE_DATE_FUNCTIONS, VOLATILE_FUNCTIONS } from './function-names.js';
import { operandOf } from './operand.js';
import type { SqlDialect } from './sql.types.js';

/** Literals that PostgreSQL turns into the current time when it needs a date. */
const CLOCK_LITERALS = new Set(['now', 'today', 'tomorrow', 'yesterday']);

/** Why the result of a call may differ though the rows are the same; `undefined` when it may not. */
export function impurityOf(call: Node, dialect: SqlDialect): string | undefined {
  const path = pathOf(call['name'], dialect);
  const name = path?.at(-1)?.toLowerCase() ?? '';
  const builtIn =
    path?.length === 1 || (dialect === 'postgres' && path?.length === 2 && path[0] === 'pg_catalog');
  if (builtIn && (VOLATILE_FUNCTIONS.has(name) || isSessionFunction(name, dialect)))
    return `volatile function ${name}()`;
  if (!builtIn || !PURE_FUNCTIONS.has(name)) return `unknown function ${path?.join('.') ?? ''}()`;
  return readsClock(name, argumentsOf(call), dialect) ? `${name}() of the current time` : undefined;
}

export const isClockLiteral = (text: string, dialect: SqlDialect): boolean =>
  dialect === 'postgres' && CLOCK_LITERALS.has(text.trim().toLowerCase());

const isSessionFunction = (name: string, dialect: SqlDialect): boolean =>
  dialect === 'postgres' && (name.startsWith('pg_') || name.startsWith('has_'));

function argumentsOf(call: Node): readonly unknown[] {
  return nodesOf(nodeAt(nodeAt(call, 'args'), 'List')?.['args']).map(
    (argument) => nodeAt(argument, 'Unnamed')?.['Expr'],
  );
}

/** Functions that take the current time for an argument that is left out or says so. */
function readsClock(name: string, args: readonly unknown[], dialect: SqlDialect): boolean {
  if (dialect === 'sqlite' && SQLITE_DATE_FUNCTIONS.has(name)) {
    const times = name === 'strftime' ? args.slice(1) : args;
    return times.length === 0 || times.some((arg) => mayBeNow(arg));
  }
  if (dialect === 'mysql') return name === 'unix_timestamp' && args.length === 0;
  return dialect === 'postgres' && name === 'age' && args.length === 1;
}

/** A parameter may say `now` as well. */
function mayBeNow(arg: unknown): boolean {
  const operand = isNode(arg) ? operandOf(arg) : undefined;
  if (!operand) return false;
  return (
    !('literal' in operand) ||
    (typeof operand.literal === 'string' && operand.literal.trim().toLowerCase() === 'now')
  );
}
