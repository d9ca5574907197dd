import type { DataSource } from 'typeorm';
import { CacheOpsConfigError } from '../../../cacheops.errors.js';
import { versionTriggers, type VersionTriggerOptions } from './version-triggers.js';

/**
 * The text of a TypeORM migration that installs the triggers, to be written into a file of the application. It holds
 * the SQL as it is today: entities that change later do not change what the migration did.
 *
 * @param name of the migration's class; ends in a time in milliseconds, as TypeORM wants it
 * @throws CacheOpsConfigError as `versionTriggers` does, and on a bad name
 */
export function versionTriggersMigration(
  dataSource: DataSource,
  name: string,
  options: VersionTriggerOptions = {},
): string {
  if (!/^[A-Za-z_]\w*\d{13}$/.test(name))
    throw new CacheOpsConfigError('name', 'a name of a class that ends in 13 digits of time', name);
  const { up, down } = versionTriggers(dataSource, options);
  const queries = (statements: readonly string[]): string =>
    statements.map((sql) => `    await queryRunner.query(${JSON.stringify(sql)});`).join('\n');
  return `import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ${name} implements MigrationInterface {
  name = '${name}';

  async up(queryRunner: QueryRunner): Promise<void> {
${queries([...down, ...up])}
  }

  async down(queryRunner: QueryRunner): Promise<void> {
${queries(down)}
  }
}
`;
}
