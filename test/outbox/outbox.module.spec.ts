import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { getDataSourceToken } from '@nestjs/typeorm';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { run } from '../../lib/cli/run.js';
import { CacheOpsModule, CacheOpsService, type CacheOpsOptions } from '../../lib/index.js';
import {
  CreateCacheOpsOutbox1795000000000,
  outboxEntity,
  OutboxTriggersMigration,
} from '../../lib/typeorm/index.js';
import { createDatabase, DATABASES, type TestDatabase } from '../support/databases.js';
import { KeptLog } from '../nest/app.js';
import { Item, SHOP } from '../typeorm/shop.entities.js';

class Triggers1795000000001 extends OutboxTriggersMigration {}

describe('The option outbox', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase('postgres', {
      synchronize: true,
      entities: [...SHOP, outboxEntity('box')],
    });
  });

  afterAll(() => database.drop());

  async function start(options: CacheOpsOptions) {
    const logger = new KeptLog();
    const app = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
        CacheOpsModule.forRoot({ ...options, logger, entities: { '*': { ops: 'all' } } }),
      ],
    }).compile();
    return app.init();
  }

  it('leaves no row behind when the application is closed', async () => {
    const app = await start({ outbox: { table: 'box', interval: '1h' } });
    const dataSource = app.get<DataSource>(getDataSourceToken());
    expect(app.get(CacheOpsService).stats().outboxes).toEqual([
      { dataSource: 'default', pending: 0, oldest: 0, relayed: 0 },
    ]);
    await dataSource.getRepository(Item).insert({ title: 'one' });
    await app.close();
    const after = await new DataSource({ ...database.options, synchronize: false }).initialize();
    expect(await after.query('SELECT * FROM box')).toEqual([]);
    expect(await after.query('SELECT title FROM item')).toEqual([{ title: 'one' }]);
    await after.destroy();
  });

  it('is off by default', async () => {
    const app = await start({});
    expect(app.get(CacheOpsService).stats().outboxes).toEqual([]);
    await app.close();
  });

  it.each([
    ['outbox', 'yes'],
    ['outbox.table', { table: '' }],
    ['outbox.interval', { interval: 'soon' }],
    ['outbox.tabel', { tabel: 'box' }],
  ])('refuses a bad %s', async (option, outbox) => {
    await expect(start({ outbox: outbox as never })).rejects.toMatchObject({ code: 'CONFIG', option });
  });
});

describe.each(DATABASES)('Migrations on %s', (kind) => {
  it('make the table and the triggers, and take them away', async () => {
    const migrations = [CreateCacheOpsOutbox1795000000000, Triggers1795000000001];
    const { options, drop } = await createDatabase(kind, { entities: SHOP, migrations });
    const dataSource = await new DataSource(options).initialize();
    await dataSource.synchronize();
    await dataSource.runMigrations();
    await dataSource.query(`INSERT INTO item (title) VALUES ('one')`);
    const rows = (): Promise<{ origin: string; payload: string }[]> =>
      dataSource.query('SELECT origin, payload FROM cacheops_outbox');
    const [row] = await rows();
    expect(row?.origin).toBe('trigger');
    expect(JSON.parse(row?.payload ?? '')).toMatchObject({
      table: 'item',
      kind: 'insert',
      new: [{ title: 'one' }],
    });

    await dataSource.undoLastMigration();
    await dataSource.query(`INSERT INTO item (title) VALUES ('two')`);
    expect(await rows()).toHaveLength(1);
    await dataSource.undoLastMigration();
    await expect(rows()).rejects.toThrow(/cacheops_outbox/);
    await dataSource.destroy();
    await drop();
  });
});

describe('cacheops triggers', () => {
  let folder: string;
  const written = { out: [] as string[], error: [] as string[] };
  const output = {
    out: (text: string) => void written.out.push(text),
    error: (text: string) => void written.error.push(text),
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cacheops-cli-'));
    const typeorm = pathToFileURL(join(process.cwd(), 'node_modules/typeorm/index.mjs')).href;
    writeFileSync(
      join(folder, 'source.mjs'),
      `import { DataSource, EntitySchema } from '${typeorm}';
       const film = new EntitySchema({ name: 'Film', columns: { id: { type: Number, primary: true }, title: { type: String } } });
       export default new DataSource({ type: 'sqljs', entities: [film], synchronize: true });`,
    );
    writeFileSync(join(folder, 'empty.mjs'), 'export const nothing = 1;');
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  afterEach(() => {
    written.out.length = written.error.length = 0;
  });

  it('prints SQL that the database takes', async () => {
    const file = join(folder, 'source.mjs');
    expect(await run(['triggers', '--data-source', file], output)).toBe(0);
    const [sql = ''] = written.out;
    expect(sql.match(/^CREATE TRIGGER "cacheops_film_(insert|update|delete)"/gm)).toHaveLength(3);
    expect(await run(['triggers', '--data-source', file, '--down'], output)).toBe(0);
    expect(written.out[1]?.match(/^DROP TRIGGER/gm)).toHaveLength(3);
  });

  it.each<[string, string[], number, RegExp]>([
    ['no command', [], 2, /usage: cacheops/],
    ['an unknown command', ['trigger'], 2, /usage: cacheops/],
    ['an unknown option', ['triggers', '--file', 'x'], 2, /--file/],
    ['no data source', ['triggers'], 1, /--data-source: expected/],
    ['a module without one', ['triggers', '--data-source', 'EMPTY'], 1, /exports a DataSource/],
    [
      'an unknown entity',
      ['triggers', '--data-source', 'SOURCE', '--entity', 'Movie'],
      1,
      /names of entities \(Film\)/,
    ],
  ])('says what is wrong: %s', async (_, args, code, message) => {
    const files: Record<string, string> = { EMPTY: 'empty.mjs', SOURCE: 'source.mjs' };
    const given = args.map((arg) => (files[arg] ? join(folder, files[arg]) : arg));
    expect(await run(given, output)).toBe(code);
    expect(written.error.join('\n')).toMatch(message);
  });
});
