import type {
  Conjunction,
  Operand,
  StatementAnalysis,
  TableRead,
  Upsert,
  WriteEffect,
} from '../../lib/sql/index.js';

/**
 * An analysis in one line, for tables of cases:
 *
 * - `film: category_id=$1 & id=any($2) or visible=true | reads id,title; actor: any | reads *`
 * - `! locking clause :: film: any | reads *` when it may not be cached
 * - `insert film {title=$1} {title=$2} returning`, `update film title(=$1) price where id=$2 image`, `whole film`
 */
export function describeAnalysis(analysis: StatementAnalysis): string {
  switch (analysis.kind) {
    case 'read': {
      const tables = analysis.tables.map(describeRead).join('; ');
      return analysis.uncacheable === undefined
        ? tables
        : `! ${analysis.uncacheable}${tables && ` :: ${tables}`}`;
    }
    case 'write':
      return analysis.effects.length === 0 ? 'no effect' : analysis.effects.map(describeEffect).join('; ');
    case 'transaction':
      return [analysis.action, analysis.name, analysis.isolation, analysis.chain && 'and chain']
        .filter(Boolean)
        .join(' ');
    case 'opaque':
      return `opaque: ${analysis.reason}`;
    case 'session':
      return 'session';
  }
}

function describeRead({ table, conditions, reads }: TableRead): string {
  return `${table}: ${describeConditions(conditions)} | reads ${reads === '*' ? '*' : reads.join(',') || 'nothing'}`;
}

function describeConditions(conditions: readonly Conjunction[]): string {
  if (conditions.length === 0) return 'none';
  return conditions
    .map((c) => (c.length === 0 ? 'any' : c.map((e) => describeEquality(e.column, e.operand)).join(' & ')))
    .join(' or ');
}

function describeEquality(column: string, operand: Operand): string {
  const isNull = 'literal' in operand && operand.literal === null;
  return isNull ? `${column} is null` : `${column}=${describeOperand(operand)}`;
}

function describeOperand(operand: Operand): string {
  if ('param' in operand) return `$${operand.param + 1}`;
  if ('list' in operand) return `any($${operand.list + 1})`;
  const { literal } = operand;
  return typeof literal === 'string' ? `'${literal}'` : `${literal}${typeof literal === 'bigint' ? 'n' : ''}`;
}

function describeEffect(effect: WriteEffect): string {
  const returning = (effect.returning ? ' returning' : '') + (effect.nested ? ' nested' : '');
  const upsert = describeUpsert(effect.upsert);
  if (effect.kind === 'table') {
    const rows = upsert && effect.rows ? ` ${describeRows(effect.rows)}` : '';
    return `whole ${effect.table}${rows}${upsert}${returning}`;
  }
  if (effect.kind === 'insert')
    return `insert ${effect.table} ${describeRows(effect.rows)}${upsert}${returning}`;
  const set =
    effect.columns === '*' ? [] : effect.columns.map((column) => describeAssignment(column, effect.assigned));
  const where = effect.where ? ` where ${describeConditions(effect.where)}` : '';
  const image = effect.image
    ? ` image(${effect.image.params.map((i) => `$${i + 1}`).join(',')})${effect.image.target === undefined ? '' : ` of ${effect.image.target}`}`
    : ' no image';
  return [effect.kind, effect.table, ...set].join(' ') + where + image + returning;
}

/** `upsert(id) computing votes`; `upsert(*)`: by every key; `upsert(?)`: by one that is not told. */
function describeUpsert(upsert: Upsert | undefined): string {
  if (!upsert) return '';
  if (upsert.action === 'replace') return ' replacing';
  const target = upsert.target?.join(',') ?? '*';
  return ` upsert(${target || '?'})${upsert.computed.length > 0 ? ` computing ${upsert.computed.join(',')}` : ''}`;
}

function describeAssignment(column: string, assigned: ReadonlyMap<string, Operand> | undefined): string {
  const operand = assigned?.get(column);
  return operand ? `${column}(=${describeOperand(operand)})` : column;
}

function describeRows(rows: readonly ReadonlyMap<string, Operand>[] | undefined): string {
  if (!rows) return 'rows unknown';
  return rows
    .map((row) => `{${[...row].map(([column, operand]) => describeEquality(column, operand)).join(', ')}}`)
    .join(' ');
}
