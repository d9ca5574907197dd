import type { SqlDialect } from '../../../sql/sql.types.js';
import type { TriggerNames } from '../../trigger-tables.js';
import { STALE_VERSION } from '../database-refusals.js';

/** A trigger in words of SQL: all names are quoted. */
export interface VersionTrigger {
  readonly names: TriggerNames;
  readonly version: string;
  readonly keys: readonly string[];
  /** Columns whose change counts; `undefined`: all do. */
  readonly counting: readonly string[] | undefined;
  readonly refusesStale: boolean;
}

interface Texts {
  readonly up: (trigger: VersionTrigger) => readonly string[];
  readonly down: (trigger: VersionTrigger) => readonly string[];
}

/** Condition that one of the columns that count has changed; `distinct` compares two values, NULL included. */
const changed = (
  { counting }: VersionTrigger,
  distinct: (a: string, b: string) => string,
): string | undefined => counting?.map((column) => distinct(`OLD.${column}`, `NEW.${column}`)).join(' OR ');

const isStale = (version: string): string =>
  `NEW.${version} <> OLD.${version} AND NEW.${version} <> OLD.${version} + 1`;

const postgres: Texts = {
  up(trigger) {
    const { names, version } = trigger;
    const counts = changed(trigger, (a, b) => `${a} IS DISTINCT FROM ${b}`);
    const refuse = trigger.refusesStale
      ? `IF ${isStale(version)} THEN RAISE EXCEPTION '${STALE_VERSION} of %', TG_TABLE_NAME; END IF; `
      : '';
    const increment = `NEW.${version} = OLD.${version}${counts === undefined ? '' : ` AND (${counts})`}`;
    const body = `BEGIN ${refuse}IF ${increment} THEN NEW.${version} := OLD.${version} + 1; END IF; RETURN NEW; END`;
    return [
      `CREATE OR REPLACE FUNCTION ${names.inSchema('version')}() RETURNS trigger LANGUAGE plpgsql AS $$ ${body} $$`,
      `CREATE TRIGGER ${names.trigger('version')} BEFORE UPDATE ON ${names.table} FOR EACH ROW EXECUTE FUNCTION ${names.inSchema('version')}()`,
    ];
  },
  down: ({ names }) => [
    `DROP TRIGGER IF EXISTS ${names.trigger('version')} ON ${names.table}`,
    `DROP FUNCTION IF EXISTS ${names.inSchema('version')}()`,
  ],
};

const mysql: Texts = {
  up(trigger) {
    const { names, version } = trigger;
    const counts = changed(trigger, (a, b) => `NOT (${a} <=> ${b})`);
    const refuse = trigger.refusesStale
      ? `IF ${isStale(version)} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${STALE_VERSION}'; END IF; `
      : '';
    const increment = `NEW.${version} = OLD.${version}${counts === undefined ? '' : ` AND (${counts})`}`;
    return [
      `CREATE TRIGGER ${names.trigger('version')} BEFORE UPDATE ON ${names.table} FOR EACH ROW ` +
        `BEGIN ${refuse}IF ${increment} THEN SET NEW.${version} = OLD.${version} + 1; END IF; END`,
    ];
  },
  down: ({ names }) => [`DROP TRIGGER IF EXISTS ${names.trigger('version')}`],
};

/** SQLite cannot change the new row before it is written, so the version follows in a second UPDATE of the trigger's own. */
const sqlite: Texts = {
  up(trigger) {
    const { names, version, keys } = trigger;
    const counts = changed(trigger, (a, b) => `${a} IS NOT ${b}`);
    const row = keys.map((key) => `${key} = NEW.${key}`).join(' AND ');
    const increment =
      `CREATE TRIGGER ${names.trigger('version')} AFTER UPDATE ON ${names.table} FOR EACH ROW ` +
      `WHEN NEW.${version} = OLD.${version}${counts === undefined ? '' : ` AND (${counts})`} ` +
      `BEGIN UPDATE ${names.table} SET ${version} = OLD.${version} + 1 WHERE ${row}; END`;
    const refuse =
      `CREATE TRIGGER ${names.trigger('stale')} BEFORE UPDATE ON ${names.table} FOR EACH ROW ` +
      `WHEN ${isStale(version)} BEGIN SELECT RAISE(ABORT, '${STALE_VERSION}'); END`;
    return trigger.refusesStale ? [increment, refuse] : [increment];
  },
  down: ({ names }) =>
    (['version', 'stale'] as const).map((purpose) => `DROP TRIGGER IF EXISTS ${names.trigger(purpose)}`),
};

export const VERSION_TRIGGERS: Readonly<Record<SqlDialect, Texts>> = { postgres, mysql, sqlite };
