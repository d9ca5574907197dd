import { CacheOpsConfigError } from '../cacheops.errors.js';
import { OUTBOX_TABLE, type OutboxSettings } from '../core/outbox.js';
import { type Duration, parseRecord, parseTimeout } from './parse.js';

/** The outbox. */
export interface OutboxOptions {
  /** Name of the table. Default `'cacheops_outbox'`. */
  readonly table?: string | undefined;
  /** How often the relay looks at it. Default `'1s'`. */
  readonly interval?: Duration | undefined;
}

const OUTBOX_DEFAULTS = { table: OUTBOX_TABLE, interval: '1s' };

/** @throws CacheOpsConfigError */
export function parseOutbox(value: unknown): OutboxSettings | undefined {
  if (value === false) return undefined;
  const given = value === true ? {} : parseRecord('outbox', value, ['table', 'interval']);
  const { table, interval } = { ...OUTBOX_DEFAULTS, ...given };
  if (typeof table !== 'string' || table === '')
    throw new CacheOpsConfigError('outbox.table', 'the name of a table', table);
  return Object.freeze({ table, interval: parseTimeout('outbox.interval', interval) });
}
