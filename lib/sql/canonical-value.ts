import { canonicalDate, canonicalInstant, canonicalTime } from './canonical-time.js';
import type { ColumnFacts, ValueClass } from './sql.types.js';

type Canonicalise = (value: unknown) => string | undefined;

const BY_CLASS: Readonly<Record<ValueClass, Canonicalise>> = {
  integer: integerText,
  decimal: decimalText,
  boolean: booleanText,
  uuid: uuidText,
  timestamp: canonicalInstant,
  date: canonicalDate,
  time: canonicalTime,
  text: (value) => (typeof value === 'string' ? value : undefined),
  'padded-text': (value) => (typeof value === 'string' ? value.replace(/ +$/, '') : undefined),
  'folded-text': foldedText,
  opaque: () => undefined,
};

/**
 * The text under which a value stands in a token. Values that the column holds to be equal get the same text,
 * whether an application binds them or a driver returns them.
 *
 * @returns `null` for SQL NULL, `undefined` when no text can be vouched for: the column must then be left out of the
 * condition. So for `undefined` itself, NaN, arrays and objects, and for values of another kind than the column's.
 */
export function canonicalValue(column: ColumnFacts, value: unknown): string | null | undefined {
  return value === null ? null : BY_CLASS[column.valueClass](value);
}

const INTEGER = /^[+-]?\d+(?:\.0*)?$/;

function integerText(value: unknown): string | undefined {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? String(value === 0 ? 0 : value) : undefined;
  const text = typeof value === 'string' ? value.trim() : '';
  return INTEGER.test(text) ? BigInt(text.replace(/^\+|\..*$/g, '')).toString() : decimalInteger(text);
}

/** `1e3` */
function decimalInteger(text: string): string | undefined {
  const decimal = decimalText(text);
  return decimal !== undefined && !decimal.includes('.') ? decimal : undefined;
}

const DECIMAL = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d{1,3}))?$/i;
/** Of so many digits no two numbers are one double, so columns of doubles can be compared as well. */
const MAX_DIGITS = 15;
const MAX_EXPONENT = 60;

function decimalText(value: unknown): string | undefined {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return undefined;
  const match = DECIMAL.exec(String(value).trim());
  if (!match || (match[2] === '' && match[3] === '')) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  const trimmed = digits.replace(/0+$/, '');
  if (trimmed === '') return '0';
  const scale = Number(exponent) - fraction.length + (digits.length - trimmed.length);
  if (trimmed.length > MAX_DIGITS || Math.abs(scale) > MAX_EXPONENT) return undefined;
  return (sign === '-' ? '-' : '') + shifted(trimmed, scale);
}

function shifted(digits: string, scale: number): string {
  if (scale >= 0) return digits + '0'.repeat(scale);
  const padded = digits.padStart(1 - scale, '0');
  return `${padded.slice(0, scale)}.${padded.slice(scale)}`;
}

const TRUE = new Set(['1', 't', 'true', 'y', 'yes', 'on']);
const FALSE = new Set(['0', 'f', 'false', 'n', 'no', 'off']);

function booleanText(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return value.length === 1 ? booleanText(value[0]) : undefined;
  const text = typeof value === 'string' ? value.trim().toLowerCase() : String(Number(value));
  if (typeof value === 'object' || value === undefined) return undefined;
  if (TRUE.has(text)) return '1';
  return FALSE.has(text) ? '0' : undefined;
}

function uuidText(value: unknown): string | undefined {
  const text =
    value instanceof Uint8Array && value.length === 16
      ? [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')
      : typeof value === 'string'
        ? value
            .trim()
            .replace(/^\{(.*)\}$/, '$1')
            .replaceAll('-', '')
            .toLowerCase()
        : '';
  return /^[0-9a-f]{32}$/.test(text) ? text : undefined;
}

/** Case-insensitive collations agree on printable ASCII; beyond it each has rules of its own. */
function foldedText(value: unknown): string | undefined {
  if (typeof value !== 'string' || !/^[\x20-\x7e]*$/.test(value)) return undefined;
  return value.toLowerCase().replace(/ +$/, '');
}
