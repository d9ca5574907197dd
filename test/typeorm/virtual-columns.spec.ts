import { Column, Entity, ManyToOne, type ObjectLiteral, PrimaryColumn, VirtualColumn } from 'typeorm';
import { cachedSource, type CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';

/** As an application keeps it for each request. */
let language = 'en';

@Entity()
class Film {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'varchar', length: 20 }) en!: string;
  @Column({ type: 'varchar', length: 20 }) de!: string;
  @VirtualColumn({ type: 'varchar', query: (alias) => `SELECT ${alias}.${language}` }) title!: string;
}

@Entity()
class Copy {
  @PrimaryColumn('int') id!: number;
  @ManyToOne(() => Film) film!: Film;
}

/**
 * The statement of a virtual column is written anew each time. What was decided for the same find options, or for the
 * same builder, before may have been for another statement: a page in one language was shown in another.
 */
describe.each(DATABASES)('a virtual column whose statement depends on the moment, on %s', (kind) => {
  let source: CachedSource;

  beforeEach(async () => {
    language = 'en';
    source = await cachedSource(kind, { entities: [Film, Copy] });
    await source.dataSource.getRepository(Film).insert({ id: 1, en: 'Jaws', de: 'Weisser Hai' });
    await source.dataSource.getRepository(Copy).insert({ id: 1, film: { id: 1 } });
  });
  afterEach(() => source.close());

  const films = () => source.dataSource.getRepository(Film);
  const READS: readonly (readonly [string, () => Promise<ObjectLiteral | null>])[] = [
    ['findOneBy', () => films().findOneBy({ id: 1 })],
    ['getOne', () => films().createQueryBuilder('film').where({ id: 1 }).getOne()],
    [
      'findOne with a relation',
      async () =>
        (await source.dataSource.getRepository(Copy).findOne({ where: { id: 1 }, relations: { film: true } }))
          ?.film ?? null,
    ],
  ];

  it.each(READS)('is read as the statement says: %s', async (_, read) => {
    for (const [now, title] of [
      ['en', 'Jaws'],
      ['de', 'Weisser Hai'],
      ['en', 'Jaws'],
      ['de', 'Weisser Hai'],
    ] as const) {
      language = now;
      expect(await read()).toMatchObject({ title });
    }
    // Each statement has its own entry.
    expect(await source.log.readsDuring(read)).toBe(0);
  });
});
