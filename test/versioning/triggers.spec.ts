import { runInNewContext } from 'node:vm';
import { type MigrationInterface, QueryFailedError } from 'typeorm';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { CacheOpsConfigError } from '../../lib/index.js';
import { versionTriggers, versionTriggersMigration } from '../../lib/typeorm/index.js';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { KINDS, Product } from './kinds.entities.js';
import { Photo, Post, Stock, VERSIONED } from './entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

describe.each(DATABASES)('version triggers on %s', (kind) => {
  describe.each([false, true])('refuseStale: %s', (refuseStale) => {
    let source: CachedSource;
    const { repo, row } = shorthand(() => source);
    const run = async (statements: readonly string[]): Promise<void> => {
      for (const sql of statements) await source.dataSource.query(sql);
    };
    const post = (): Promise<Post> => repo(Post).save(repo(Post).create({ title: 'first' }));

    beforeAll(async () => {
      source = await guardedSource(kind, { entities: [...VERSIONED, ...KINDS] });
      await run(versionTriggers(source.dataSource, { refuseStale }).up);
    });
    afterAll(async () => {
      await run(versionTriggers(source.dataSource, { refuseStale }).down);
      await source.close();
    });

    it('CC-030: an edit by another tool increments', async () => {
      const mine = await post();
      await source.dataSource.query(`UPDATE post SET title = 'by psql' WHERE id = ${mine.id}`);
      expect((await row(Post, { id: mine.id })).version).toBe(2);
      const error = await refusal(repo(Post).save(Object.assign(mine, { title: 'mine' })));
      expect(error).toMatchObject({ expected: 1, actual: 2, theirs: { title: 'by psql' } });
      await repo(Stock).save({ shop: 1, sku: 'a', amount: 1 });
      await source.dataSource.query('UPDATE stock_levels SET how_many = 2');
      expect((await row(Stock, { sku: 'a' })).revision).toBe(2);
      const photo = await repo(Photo).save({ title: 'a' });
      await source.dataSource.query(`UPDATE content SET title = 'b'`);
      expect((await row(Photo, { id: photo.id })).version).toBe(2);
      await repo(Post).delete({ id: mine.id });
    });

    it('CC-031: an insert is left alone', async () => {
      await source.dataSource.query(`INSERT INTO country VALUES ('XX', 'x', -1)`);
      const rows: { version: number }[] = await source.dataSource.query('SELECT version FROM country');
      expect(rows[0]?.version).toBe(-1);
    });

    it('CC-032: saves increment once', async () => {
      const saved = await post();
      await repo(Post).save(Object.assign(saved, { title: 'second' }));
      await repo(Post).softRemove(saved);
      expect(saved.version).toBe(3);
      expect((await row(Post, { id: saved.id })).version).toBe(3);
    });

    it('only what counts, with @VersionFields', async () => {
      const { id } = await repo(Product).save({ price: 1 });
      await source.dataSource.query('UPDATE product SET views = 5');
      expect((await row(Product, { id })).version).toBe(1);
      await source.dataSource.query('UPDATE product SET price = 5, views = 6');
      expect((await row(Product, { id })).version).toBe(2);
      const product = await row(Product, { id });
      await repo(Product).save(Object.assign(product, { views: 7 }));
      expect((await row(Product, { id })).version).toBe(2);
    });

    it('hard mode refuses what states another version', async () => {
      const { id } = await post();
      await source.dataSource.query(`UPDATE post SET title = 'second', version = 2 WHERE id = ${id}`);
      const stale = source.dataSource.query(`UPDATE post SET title = 'stale', version = 1 WHERE id = ${id}`);
      if (refuseStale) {
        await expect(stale).rejects.toThrow(QueryFailedError);
        await expect(stale).rejects.toThrow('cacheops: stale version');
        expect(await row(Post, { id })).toMatchObject({ title: 'second', version: 2 });
      } else {
        await stale;
        expect(await row(Post, { id })).toMatchObject({ title: 'stale', version: 1 });
      }
    });
  });
});

describe.each(DATABASES)('hard mode on %s', (kind) => {
  it('refuses the stale save of a process without the guard, and no other save', async () => {
    const source = await guardedSource(kind, { versioning: undefined });
    const posts = source.dataSource.getRepository(Post);
    try {
      for (const sql of versionTriggers(source.dataSource, { refuseStale: true }).up)
        await source.dataSource.query(sql);
      const { id } = await posts.save(posts.create({ title: 'first' }));
      const [theirs, mine] = [await posts.findOneByOrFail({ id }), await posts.findOneByOrFail({ id })];
      await posts.save(Object.assign(theirs, { title: 'theirs' }));
      await posts.save(Object.assign(theirs, { title: 'again' }));
      await expect(posts.save(Object.assign(mine, { title: 'mine' }))).rejects.toThrow(
        'cacheops: stale version',
      );
      const now = await posts.findOneOrFail({ where: { id }, cache: false });
      expect(now).toMatchObject({ title: 'again', version: 3 });
    } finally {
      await source.close();
    }
  });
});

describe.each(DATABASES)('the migration on %s', (kind) => {
  it('installs the triggers, and takes them away again', async () => {
    const source = await guardedSource(kind);
    const { dataSource } = source;
    const runner = dataSource.createQueryRunner();
    try {
      const { id } = await dataSource.manager.save(Post, { title: 'first' });
      const edit = async (): Promise<number> => {
        await dataSource.query(`UPDATE post SET title = 'by a tool' WHERE id = ${id}`);
        return (await dataSource.manager.findOneOrFail(Post, { where: { id }, cache: false })).version;
      };
      const text = versionTriggersMigration(dataSource, 'Versions1795000000000', { entities: ['Post'] });
      const migration = loadMigration(text);
      expect(await edit()).toBe(1);
      await migration.up(runner);
      // A second time, as after one that was interrupted.
      await migration.up(runner);
      expect(await edit()).toBe(2);
      await migration.down(runner);
      expect(await edit()).toBe(2);
    } finally {
      await runner.release();
      await source.close();
    }
  });
});

/** An object of the class that the text of a migration exports. */
function loadMigration(text: string): MigrationInterface {
  const options = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 };
  const { outputText } = transpileModule(text, { compilerOptions: options });
  const exported: Record<string, new () => MigrationInterface> = {};
  runInNewContext(outputText, { exports: exported });
  const [Migration] = Object.values(exported);
  return new Migration!();
}

describe('the migration', () => {
  it('holds the SQL of today', async () => {
    const source = await guardedSource('sqlite');
    const text = versionTriggersMigration(source.dataSource, 'Versions1795000000000', { entities: ['Post'] });
    for (const sql of versionTriggers(source.dataSource, { entities: ['Post'] }).up)
      expect(text).toContain(JSON.stringify(sql));
    expect(text).toContain('export class Versions1795000000000 implements MigrationInterface');
    expect(text).not.toContain('country');
    expect(() => versionTriggersMigration(source.dataSource, 'Versions')).toThrow(CacheOpsConfigError);
    expect(() => versionTriggers(source.dataSource, { entities: ['Plain'] })).toThrow(CacheOpsConfigError);
    await source.close();
  });
});
