import { DATABASES } from '../support/databases.js';
import { binaryOf, Colour, Tagged, Weird, weirdEntities } from './entities/weird.js';
import { useSuite } from './suite.js';

describe.each(DATABASES)('cacheops WeirdTests on %s', (kind) => {
  const suite = useSuite(kind, { entities: weirdEntities(kind) });
  const weird = () => suite.repo(Weird);

  /** The template of the original: a cached count, a row, then count and row are read with one statement each. */
  async function check<K extends keyof Weird>(column: K, value: Weird[K]): Promise<Weird> {
    const count = () => weird().count();
    const before = await count();
    const { id } = await weird().save({ [column]: value } as Pick<Weird, K>);
    const get = () => weird().findOneByOrFail({ id });
    expect(await suite.q(async () => [await count(), await get()])).toBe(2);
    expect(await suite.fresh(count)).toBe(before + 1);
    expect(await suite.q(get)).toBe(0);
    const row = await suite.fresh(get);
    expect(row[column]).toEqual(value);
    return row;
  }

  it('CO-033 date', () => check('day', '2024-02-29'));

  it('CO-034 datetime: comes back as a Date of the same instant', async () => {
    const { at } = await check('at', new Date('2024-02-29T12:34:56.000Z'));
    expect(at).toBeInstanceOf(Date);
  });

  it('CO-035 time', () => check('clock', '12:34:56'));

  it('CO-036 list field', () => check('list', ['1', '2']));

  it('CO-037 custom value: as the transformer makes it', () => check('price', 12.5));

  it('CO-038 custom value whose text is not what the database gets: the key is of what it gets', async () => {
    const { id } = await weird().save({ colour: new Colour('red') });
    const get = () => weird().findOneByOrFail({ id });
    // The graph holds a class that the serializer does not know. The first read learns that, the second stores rows.
    await get();
    await get();
    expect(await suite.q(get)).toBe(0);
    expect((await suite.fresh(get)).colour).toEqual(new Colour('red'));
    const find = (name: string) => () => weird().findBy({ colour: new Colour(name) });
    expect(await suite.fresh(find('red'))).toHaveLength(1);
    expect(await suite.fresh(find('blue'))).toHaveLength(0);
    await weird().save({ id, colour: new Colour('blue') });
    expect(await suite.fresh(find('red'))).toHaveLength(0);
    expect(await suite.fresh(find('blue'))).toHaveLength(1);
  });

  it('CO-039 binary: a hit is a Buffer with the same bytes', async () => {
    const repo = suite.repo(binaryOf(kind));
    const bytes = Buffer.from([0, 1, 2, 0xff, 0xc1]);
    const { id } = await repo.save({ bytes });
    const get = () => repo.findOneByOrFail({ id });
    await get();
    expect(await suite.q(get)).toBe(0);
    expect(Buffer.from((await suite.fresh(get)).bytes).equals(bytes)).toBe(true);
  });

  it('CO-040 custom query: a builder with settings of its own', async () => {
    const query = () =>
      weird()
        .createQueryBuilder('w')
        .comment('of the application')
        .maxExecutionTime(0)
        .where('w.id > :id', { id: 0 })
        .getMany();
    await weird().save({ text: 'a' });
    expect(await suite.fresh(query)).toHaveLength(1);
    expect(await suite.q(query)).toBe(0);
  });
});

describe('cacheops PostgresTests', () => {
  const suite = useSuite('postgres', { entities: weirdEntities('postgres') });
  const tagged = () => suite.repo(Tagged);

  /** The count is a hit, and misses once a row comes. */
  async function counted(
    condition: string,
    parameters: Record<string, unknown>,
    row: Partial<Tagged>,
  ): Promise<void> {
    const count = () => tagged().createQueryBuilder('t').where(condition, parameters).getCount();
    expect(await suite.fresh(count)).toBe(0);
    expect(await suite.q(count)).toBe(0);
    await tagged().save({ tags: [], ...row });
    expect(await suite.q(count)).toBe(1);
    expect(await suite.fresh(count)).toBe(1);
  }

  it('CO-041 array contains', () => counted('t.tags @> :tags', { tags: [42] }, { tags: [1, 42] }));

  it('CO-042 array length', () => counted('cardinality(t.tags) = :n', { n: 2 }, { tags: [1, 2] }));

  it('CO-043 json key', () => counted("t.data ->> 'name' = :name", { name: 'x' }, { data: { name: 'x' } }));

  it('CO-044 geometry: a row with one invalidates and comes back', async () => {
    const { id } = await tagged().save({ tags: [], place: '(1,2)' });
    const get = () => tagged().findOneByOrFail({ id });
    await suite.fresh(get);
    await tagged().save({ id, place: '(3,4)' });
    expect(await suite.q(get)).toBe(1);
    await suite.fresh(get);
  });

  it('CO-081 #489: equality with an array', () => counted('t.tags = :tags', { tags: [7] }, { tags: [7] }));
});
