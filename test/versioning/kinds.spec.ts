import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { CacheOpsConfigError } from '../../lib/index.js';
import { Dated, Invoice, KINDS, Label, Legacy, Line, Product } from './kinds.entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

describe.each(DATABASES)('kinds of versions on %s', (kind) => {
  let source: CachedSource;
  const { repo, copies, row } = shorthand(() => source);
  beforeAll(async () => {
    source = await guardedSource(kind, {
      entities: KINDS,
      versioning: {
        entities: { Dated: { kind: 'updateDate' }, Invoice: { owns: ['lines', 'labels'] } },
      },
    });
  });
  afterAll(() => source.close());

  describe('@VersionFields', () => {
    it('CC-025: only what counts increments', async () => {
      const product = await repo(Product).save({ price: 1, labels: [] });
      expect(product.version).toBe(1);
      await repo(Product).save(Object.assign(product, { price: 2 }));
      expect(product.version).toBe(2);
      await repo(Product).save(Object.assign(product, { views: 9 }));
      expect(product.version).toBe(2);
      await repo(Product).save(Object.assign(product, { views: 10 }), { reload: false });
      expect(product.version).toBe(2);
      expect(await row(Product, { id: product.id })).toMatchObject({ views: 10, version: 2 });
      await repo(Product).update({ id: product.id }, { views: 11 });
      await repo(Product).increment({ id: product.id }, 'views', 1);
      expect(await row(Product, { id: product.id })).toMatchObject({ views: 12, version: 2 });
      await repo(Product).update({ id: product.id }, { stock: 5, views: 13 });
      expect((await row(Product, { id: product.id })).version).toBe(3);
    });

    it('CC-026: what counts conflicts', async () => {
      const { id } = await repo(Product).save({ price: 1 });
      const [theirs, mine] = await copies(Product, { id });
      await repo(Product).save(Object.assign(theirs, { price: 2 }));
      expect(await refusal(repo(Product).save(Object.assign(mine, { views: 1 })))).toMatchObject({
        expected: 1,
        actual: 2,
        base: { price: 1, views: 0 },
      });
    });

    it('CC-027: what does not count does not, and keeps the edit of the other', async () => {
      const { id } = await repo(Product).save({ price: 1, note: 'old' });
      const [theirs, mine] = await copies(Product, { id });
      await repo(Product).save(Object.assign(theirs, { note: 'theirs', views: 3 }));
      await repo(Product).save(Object.assign(mine, { price: 2 }));
      expect(await row(Product, { id })).toMatchObject({ price: 2, note: 'theirs', views: 3, version: 2 });
    });

    it('CC-X03: a many-to-many relation counts, with more than 20 rows', async () => {
      const labels = await repo(Label).save(Array.from({ length: 25 }, (_, i) => ({ text: `${i}` })));
      const { id } = await repo(Product).save({ price: 1, labels });
      const load = () => repo(Product).findOneOrFail({ where: { id }, relations: { labels: true } });
      const [theirs, mine] = [await load(), await load()];
      await repo(Product).save(mine);
      expect(mine.version).toBe(1);
      theirs.labels.pop();
      await repo(Product).save(theirs);
      expect((await row(Product, { id })).version).toBe(2);
      expect((await refusal(repo(Product).save(Object.assign(mine, { views: 1 })))).expected).toBe(1);
    });
  });

  describe('rows that are owned', () => {
    const invoice = async () => {
      const { id } = await repo(Invoice).save(
        repo(Invoice).create({ customer: 'c', lines: [{ text: 'a' }, { text: 'b' }] as Line[], labels: [] }),
      );
      return () =>
        repo(Invoice).findOneOrFail({
          where: { id },
          relations: { lines: true, labels: true },
          order: { lines: { id: 'ASC' } },
        });
    };

    it('change the version of their owner, which is checked when it is saved with them', async () => {
      const load = await invoice();
      const [mine, theirs] = [await load(), await load()];
      theirs.lines[0]!.text = 'theirs';
      await repo(Invoice).save(theirs);
      expect(theirs.version).toBe(2);
      mine.lines[1]!.text = 'mine';
      expect(await refusal(repo(Invoice).save(mine))).toMatchObject({
        entity: 'Invoice',
        expected: 1,
        actual: 2,
      });
      theirs.lines.pop();
      await repo(Invoice).save(theirs);
      theirs.lines.push(repo(Line).create({ text: 'c' }));
      await repo(Invoice).save(theirs);
      theirs.labels.push(await repo(Label).save({ text: 'x' }));
      await repo(Invoice).save(theirs);
      expect(theirs.version).toBe(5);
      const now = await load();
      expect([now.version, now.lines.map(({ text }) => text)]).toEqual([5, ['theirs', 'c']]);
    });

    it('are saved without their owner', async () => {
      const load = await invoice();
      const { id, lines } = await load();
      const [bare] = [await repo(Line).findOneByOrFail({ id: lines[0]!.id })];
      await repo(Line).save(Object.assign(bare, { text: 'changed' }));
      expect((await row(Invoice, { id })).version).toBe(2);
      const [, second] = lines;
      await repo(Line).save({ id: second!.id, text: 'changed', invoice: { id } });
      expect((await row(Invoice, { id })).version).toBe(3);
      await repo(Line).remove(bare);
      expect((await row(Invoice, { id })).version).toBe(4);
      const other = await (await invoice())();
      await repo(Line).save({ id: second!.id, invoice: { id: other.id } });
      expect([(await row(Invoice, { id })).version, (await row(Invoice, { id: other.id })).version]).toEqual([
        5, 2,
      ]);
    });
  });

  describe('times', () => {
    it('are versions, however fast changes follow each other', async () => {
      const { id } = await repo(Dated).save({ name: 'a' });
      const [theirs, mine] = await copies(Dated, { id });
      const seen = new Set([theirs.updatedAt.getTime()]);
      for (let i = 0; i < 10; i++) {
        await repo(Dated).save(Object.assign(theirs, { name: `theirs ${i}` }));
        seen.add(theirs.updatedAt.getTime());
      }
      expect(seen.size).toBe(11);
      expect(await refusal(repo(Dated).save(Object.assign(mine, { name: 'mine' })))).toMatchObject({
        expected: mine.updatedAt,
        actual: theirs.updatedAt,
      });
      const form = { id, name: 'from a form', updatedAt: theirs.updatedAt.toISOString() as unknown as Date };
      await repo(Dated).save(form);
      await repo(Dated).update({ id }, { name: 'by criteria' });
      expect((await refusal(repo(Dated).remove(theirs))).operation).toBe('remove');
      await repo(Dated).remove(await row(Dated, { id }));
    });
  });
});

describe('xmin of PostgreSQL', () => {
  let source: CachedSource;
  const { repo, copies, row } = shorthand(() => source);
  beforeAll(async () => {
    source = await guardedSource('postgres', { entities: [Legacy] });
  });
  afterAll(() => source.close());

  it('is a version without a column', async () => {
    const { id, revision } = await repo(Legacy).save({ name: 'a' });
    expect(revision).toMatch(/^\d+$/);
    const [theirs, mine] = await copies(Legacy, { id });
    expect(mine.revision).toBe(revision);
    await repo(Legacy).save(Object.assign(theirs, { name: 'theirs' }));
    expect(theirs.revision).toBe((await row(Legacy, { id })).revision);
    await repo(Legacy).save(Object.assign(theirs, { name: 'again' }));
    expect(await refusal(repo(Legacy).save(Object.assign(mine, { name: 'mine' })))).toMatchObject({
      expected: revision,
      actual: theirs.revision,
    });
    await source.dataSource.query(`UPDATE legacy SET name = 'by psql' WHERE id = ${id}`);
    expect((await refusal(repo(Legacy).remove(theirs))).theirs).toMatchObject({ name: 'by psql' });
    await repo(Legacy).remove(await row(Legacy, { id }));
  });

  it('in a cached entity is that of the row, whatever column has changed', async () => {
    const { id } = await repo(Legacy).save({ name: 'a' });
    const named = () =>
      repo(Legacy).findOneOrFail({ select: { id: true, name: true, revision: true }, where: { id } });
    await named();
    await repo(Legacy).increment({ id }, 'hits', 1);
    const fresh = await named();
    expect(fresh.revision).toBe((await row(Legacy, { id })).revision);
    await repo(Legacy).save(Object.assign(fresh, { name: 'b' }));
  });
});

describe('what a policy cannot be', () => {
  it.each([
    ['fields', { Product: { fields: ['colour'] } }, 'versioning.entities.Product.fields'],
    ['a relation that is not owned', { Line: { owns: ['invoice'] } }, 'versioning.entities.Line'],
    ['no version', { Label: true }, 'versioning.entities.Label'],
    ['no such time', { Product: { kind: 'updateDate' } }, 'versioning.entities.Product'],
  ] as const)('%s', async (_name, entities, option) => {
    const source = guardedSource('sqlite', { entities: KINDS, versioning: { entities: entities as never } });
    const error: unknown = await source.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CacheOpsConfigError);
    expect((error as CacheOpsConfigError).option).toBe(option);
  });
});
