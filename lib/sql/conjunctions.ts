import type { Conjunction, Equality, Operand } from './sql.types.js';

/** OR of conjunctions. */
export type Dnf = readonly Conjunction[];

/** Any row. */
export const ANY_ROW: Dnf = [[]];

/** No row. */
export const NO_ROW: Dnf = [];

export const isAnyRow = (dnf: Dnf): boolean => dnf.some((conjunction) => conjunction.length === 0);

export function operandKey(operand: Operand): string {
  if ('param' in operand) return `$${operand.param + 1}`;
  if ('list' in operand) return `any($${operand.list + 1})`;
  const { literal } = operand;
  return typeof literal === 'string' ? JSON.stringify(literal) : `${typeof literal} ${String(literal)}`;
}

const equalityKey = ({ column, operand }: Equality): string => `${column}\n${operandKey(operand)}`;

/** Rows that satisfy one of them; more than `max` conjunctions are any row. */
export function anyOf(parts: readonly Dnf[], max: number): Dnf {
  const all = absorb(parts.flat());
  return all.length > max ? ANY_ROW : all;
}

/** Rows that satisfy both. Where the product grows beyond `max`, the simpler side alone: still true, only wider. */
export function both(a: Dnf, b: Dnf, max: number): Dnf {
  if (a.length === 0 || b.length === 0) return NO_ROW;
  if (a.length * b.length > max) {
    if (isAnyRow(a)) return b;
    return isAnyRow(b) || a.length <= b.length ? a : b;
  }
  return absorb(a.flatMap((left) => b.map((right) => merge(left, right))));
}

function merge(a: Conjunction, b: Conjunction): Conjunction {
  const merged = new Map([...a, ...b].map((equality) => [equalityKey(equality), equality]));
  return [...merged.entries()].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, equality]) => equality);
}

/** Drops a conjunction when a broader one says it already. */
function absorb(dnf: Dnf): Dnf {
  if (dnf.length < 2) return dnf;
  const keyed = dnf.map((conjunction) => ({ conjunction, keys: new Set(conjunction.map(equalityKey)) }));
  keyed.sort((a, b) => a.keys.size - b.keys.size);
  const kept: typeof keyed = [];
  for (const entry of keyed) {
    if (!kept.some(({ keys }) => [...keys].every((key) => entry.keys.has(key)))) kept.push(entry);
  }
  return kept.map(({ conjunction }) => conjunction);
}
