import {
  Column,
  Entity,
  In,
  IsNull,
  JoinTable,
  ManyToMany,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
} from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES, type DatabaseKind } from '../support/databases.js';

/** Stories that random traces told (test/differential), each as small as it got. */
describe.each(DATABASES)('found by the differential test on %s', (kind) => {
  const { Shelf, Tag, Book, Note } = entities(kind);
  let source: CachedSource;
  const repo = <T extends object>(entity: new () => T) => source.dataSource.getRepository(entity);
  const reads = async (work: () => Promise<unknown>) => {
    await source.services.invalidator.drain();
    return source.log.readsDuring(work);
  };

  beforeEach(async () => {
    source = await cachedSource(kind, { entities: [Shelf, Tag, Book, Note] });
    await repo(Shelf).insert([{ id: 1 }, { id: 2, parent: { id: 1 } }, { id: 3 }]);
    await repo(Tag).insert([{ code: 'grün' }, { code: 'red ' }, { code: 'blue' }]);
    await repo(Book).insert([
      { id: 1, shelf: { id: 1 }, price: '1.00' },
      { id: 2, shelf: { id: 3 }, price: '2.00', weight: 0.5 },
    ]);
  });
  afterEach(() => source.close());

  it('a release of the connection that all tasks share ends no transaction of another', async () => {
    const runner = source.dataSource.createQueryRunner();
    await runner.query('BEGIN');
    await source.dataSource.createQueryBuilder(Shelf, 's').getCount();
    const seen = () => repo(Book).countBy({ shelf: { id: 3 } });
    expect(await seen()).toBe(1);
    await runner.manager.update(Book, { price: '2.00' }, { shelf: { id: 1 } });
    await runner.query('COMMIT');
    await runner.release();
    expect(await seen()).toBe(0);
  });

  it.each(['grün', 'red '])('rows that hang on the text key %j go with it', async (code) => {
    await source.dataSource.createQueryBuilder().relation(Book, 'tags').of(1).add(code);
    const tagged = () => repo(Book).find({ where: { id: 1 }, relations: { tags: true } });
    const links = () =>
      source.dataSource.createQueryBuilder(Book, 'b').innerJoin('b.tags', 't').where('b.id = 1').getCount();
    expect((await tagged())[0]?.tags).toHaveLength(1);
    expect(await links()).toBe(1);
    await repo(Tag).delete({ code });
    expect((await tagged())[0]?.tags).toHaveLength(0);
    expect(await links()).toBe(0);
  });

  it('a table that hangs on itself by SET NULL restamps nothing else when a row goes', async () => {
    const books = () => repo(Book).findBy({ shelf: { id: 3 } });
    const children = () => repo(Shelf).countBy({ parent: { id: 1 } });
    expect(await books()).toHaveLength(1);
    expect(await children()).toBe(1);
    await repo(Shelf).delete({ id: 1 });
    expect(await reads(books)).toBe(0);
    expect(await children()).toBe(0);
  });

  it('a value that cannot be compared does not widen a row for readers who ask for NULL', async () => {
    const weightless = () => repo(Book).findBy({ weight: IsNull(), shelf: { id: 1 } });
    expect(await weightless()).toHaveLength(1);
    await repo(Book).update({ id: 2 }, { price: '3.00' });
    expect(await reads(weightless)).toBe(0);
    await repo(Book).update({ id: 1 }, { weight: 0.25 });
    expect(await weightless()).toHaveLength(0);
  });

  it('several rows inserted at once are known by their keys', async () => {
    const dear = () => repo(Book).findBy({ price: '1.00' });
    const cheap = () => repo(Book).findBy({ price: '9.00' });
    expect(await dear()).toHaveLength(1);
    expect(await cheap()).toHaveLength(0);
    await repo(Book).insert([
      { id: 3, price: '9.00' },
      { id: 4, price: '9.00' },
    ]);
    expect(await reads(dear)).toBe(0);
    expect(await cheap()).toHaveLength(2);
  });

  it('several rows whose keys the database gives are known as well', async () => {
    const low = () => repo(Note).findBy({ stars: 1 });
    const high = () => repo(Note).findBy({ stars: 9 });
    await repo(Note).insert([{ stars: 1 }, { stars: 1 }]);
    // Readers by key and value make a writer look for both.
    expect(await repo(Note).findBy({ id: 1, stars: 1 })).toHaveLength(1);
    expect(await low()).toHaveLength(2);
    expect(await high()).toHaveLength(0);
    await repo(Note).insert([{ stars: 9 }, { stars: 9 }]);
    expect(await reads(low)).toBe(0);
    expect(await high()).toHaveLength(2);
  });

  it('a text beyond ASCII restamps those who compare texts, and those who may equal it', async () => {
    const tagged = (code: string) => () => repo(Tag).findBy({ code });
    const shelves = () => repo(Book).findBy({ price: '2.00' });
    const [blue, green, wide] = [tagged('blue'), tagged('grun'), tagged('GRÜN')];
    const counts = async () => [(await blue()).length, (await green()).length, (await wide()).length];
    const before = await counts();
    expect(await shelves()).toHaveLength(1);
    await repo(Tag).delete({ code: 'grün' });
    expect(await reads(shelves)).toBe(0);
    const after = await source.services.context.withoutCache(counts);
    expect(await counts()).toEqual(after);
    expect(before[0]).toBe(after[0]);
  });

  it('an upsert takes no row with it', async () => {
    const books = () => repo(Book).findBy({ price: '2.00' });
    const places = () => repo(Shelf).findBy({ place: In(['x', 'y']) });
    expect(await books()).toHaveLength(1);
    expect(await places()).toHaveLength(0);
    await repo(Shelf).upsert([{ id: 3, place: 'x' }], ['id']);
    expect(await reads(books)).toBe(0);
    expect(await places()).toHaveLength(1);
  });
});

function entities(kind: DatabaseKind) {
  const code = kind === 'postgres' ? 'citext' : 'varchar';

  @Entity()
  class Shelf {
    @PrimaryColumn('int') id!: number;
    @Column({ type: 'varchar', nullable: true }) place!: string | null;
    @ManyToOne('Shelf', { nullable: true, onDelete: 'SET NULL' }) parent!: unknown;
  }
  @Entity()
  class Tag {
    @PrimaryColumn({
      type: code,
      ...(kind === 'postgres' ? {} : { length: 20 }),
      ...(kind === 'sqlite' ? { collation: 'NOCASE' } : {}),
    } as { type: 'varchar' })
    code!: string;
  }
  @Entity()
  class Book {
    @PrimaryColumn('int') id!: number;
    @Column({ type: 'decimal', precision: 6, scale: 2, nullable: true }) price!: string | null;
    @Column({ type: kind === 'mariadb' ? 'double' : 'real', nullable: true }) weight!: number | null;
    @ManyToOne('Shelf', { nullable: true, onDelete: 'SET NULL' }) shelf!: unknown;
    @ManyToMany('Tag') @JoinTable() tags!: unknown[];
  }
  @Entity()
  class Note {
    @PrimaryGeneratedColumn() id!: number;
    @Column('int') stars!: number;
  }
  return { Shelf, Tag, Book, Note };
}
