import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataSource } from 'typeorm';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { Command } from './command.js';

/** `cacheops triggers`: prints the SQL of the triggers that tell the outbox what others write. */
export const triggersCommand: Command = {
  name: 'triggers',
  usage: `cacheops triggers --data-source <file> [--entity <name>]... [--table <name>] [--except-user <name>] [--down]
  Prints the SQL of triggers that write a row to the outbox for each row that anybody changes.
  --data-source  module that exports a DataSource, as for TypeORM's own command
  --entity       only the tables of these entities; repeat it for several
  --table        name of the outbox (cacheops_outbox)
  --except-user  database user of the application, which announces its writes itself
  --down         the SQL that removes the triggers`,
  options: {
    'data-source': { type: 'string' },
    entity: { type: 'string', multiple: true },
    table: { type: 'string' },
    'except-user': { type: 'string' },
    down: { type: 'boolean' },
  },
  async run(values, { out }) {
    // Other commands work without TypeORM.
    const { outboxTriggers } = await import('../typeorm/outbox/outbox-triggers.js');
    const dataSource = await loadDataSource(values['data-source']);
    dataSource.setOptions({ synchronize: false, migrationsRun: false, dropSchema: false });
    await dataSource.initialize();
    try {
      const { up, down } = outboxTriggers(dataSource, {
        ...(Array.isArray(values['entity']) && { entities: values['entity'] as string[] }),
        ...(typeof values['table'] === 'string' && { table: values['table'] }),
        ...(typeof values['except-user'] === 'string' && { exceptUser: values['except-user'] }),
      });
      out(script(values['down'] === true ? down : up, dataSource.options.type));
    } finally {
      await dataSource.destroy();
    }
  },
};

async function loadDataSource(file: unknown): Promise<DataSource> {
  const typeorm = await import('typeorm');
  if (typeof file !== 'string') throw new CacheOpsConfigError('--data-source', 'the file of a module', file);
  const module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  // A CommonJS module's exports are those of its default export.
  const inner: Record<string, unknown> = { ...(module['default'] as object | undefined) };
  const exported = [...Object.values(module), ...Object.values(inner)];
  const found = exported.find((value) => value instanceof typeorm.DataSource);
  if (found) return found;
  throw new CacheOpsConfigError('--data-source', 'a module that exports a DataSource', file);
}

/** MySQL's clients end a statement at a semicolon, of which bodies of triggers have their own. */
function script(statements: readonly string[], type: string): string {
  if (!['mysql', 'mariadb'].includes(type)) return statements.map((each) => `${each};`).join('\n');
  return ['DELIMITER $$', ...statements.map((each) => `${each} $$`), 'DELIMITER ;'].join('\n');
}
