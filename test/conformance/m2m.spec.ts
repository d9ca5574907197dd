import { DATABASES } from '../support/databases.js';
import { Brand, Label, Labeling, MUSIC, PremiumBrand } from './entities/music.js';
import { MUSIC_ROWS } from './fixture.js';
import { useSuite } from './suite.js';

const CLASSES = [
  ['Brand', Brand],
  ['PremiumBrand', PremiumBrand],
] as const;

describe.each(DATABASES)('cacheops M2MTests on %s', (kind) => {
  const suite = useSuite(kind, { entities: MUSIC, rows: MUSIC_ROWS });
  const [FURIOUS, SLOW, FAST] = [1, 2, 3];

  describe.each(CLASSES)('%s', (_name, target) => {
    let bf: number;
    let bs: number;
    const relation = (id: number) =>
      suite.source.dataSource.createQueryBuilder().relation(target, 'labels').of(id);
    const labelsOf = (id: number) => () =>
      suite.repo(Label).find({ where: { brands: { id } }, order: { id: 'ASC' } });
    const brandsOf = (id: number) => () =>
      suite.repo(Brand).find({ where: { labels: { id } }, order: { id: 'ASC' } });
    const clear = () => relation(bf).remove([FURIOUS, FAST]);

    beforeEach(async () => {
      const make = async (name: string, labels: number[]) => {
        const brand = suite.repo<Brand>(target).create({ name, labels: labels.map((id) => ({ id })) });
        return (await suite.repo<Brand>(target).save(brand)).id;
      };
      bf = await make('bf', [FURIOUS, FAST]);
      bs = await make('bs', [SLOW]);
      await suite.settled();
    });

    async function rereads(read: () => Promise<unknown[]>, write: () => Promise<unknown>, length: number) {
      await read();
      expect(await suite.q(read)).toBe(0);
      await write();
      expect(await suite.q(read)).toBe(1);
      expect(await suite.fresh(read)).toHaveLength(length);
    }

    it('CO-091 clear invalidates the target', () => rereads(labelsOf(bf), clear, 0));

    it('CO-092 clear invalidates the base', () => rereads(brandsOf(FURIOUS), clear, 0));

    it('CO-093 clear leaves the other rows of the junction alone', async () => {
      const row = () =>
        suite.source.dataSource
          .createQueryBuilder()
          .select('j.labelId', 'label')
          .from('brand_label', 'j')
          .where('j.brandId = :bs AND j.labelId = :slow', { bs, slow: SLOW })
          .cache(true)
          .getRawMany();
      await row();
      expect(await suite.q(row)).toBe(0);
      await clear();
      expect(await suite.q(row)).toBe(0);
    });

    it('CO-094 clear leaves a row of the target alone', async () => {
      const get = () => suite.repo(Label).findOneByOrFail({ id: SLOW });
      await get();
      await clear();
      expect(await suite.q(get)).toBe(0);
    });

    it('CO-095 add invalidates the target', () => rereads(labelsOf(bf), () => relation(bf).add(SLOW), 3));

    it('CO-096 add invalidates the base', () => rereads(brandsOf(SLOW), () => relation(bf).add(SLOW), 2));

    it('CO-097 remove invalidates the target', () =>
      rereads(labelsOf(bf), () => relation(bf).remove(FURIOUS), 1));

    it('CO-098 remove invalidates the base', () =>
      rereads(brandsOf(FURIOUS), () => relation(bf).remove(FURIOUS), 0));

    it('CO-095 and CO-097: save() with another set of labels invalidates both sides', async () => {
      const brand = await suite
        .repo<Brand>(target)
        .findOneOrFail({ where: { id: bf }, relations: { labels: true } });
      const reads = [labelsOf(bf), brandsOf(FURIOUS), brandsOf(SLOW)];
      for (const read of reads) await read();
      brand.labels = [{ id: SLOW } as Label];
      await suite.repo<Brand>(target).save(brand);
      for (const read of reads) expect(await suite.q(read)).toBe(1);
      expect((await suite.fresh(labelsOf(bf))).map((label) => label.id)).toEqual([SLOW]);
      await suite.fresh(brandsOf(FURIOUS));
      await suite.fresh(brandsOf(SLOW));
    });
  });

  describe('through an entity', () => {
    const labelings = () => suite.repo(Labeling);
    const labelsOf = (brandId: number) => () =>
      suite.repo(Label).find({ where: { labelings: { brandId } }, order: { id: 'ASC' } });
    const brandsOf = (labelId: number) => () =>
      suite.repo(Brand).find({ where: { labelings: { labelId } }, order: { id: 'ASC' } });

    async function rereads(read: () => Promise<unknown[]>, write: () => Promise<unknown>, length: number) {
      await read();
      await write();
      expect(await suite.q(read)).toBe(1);
      expect(await suite.fresh(read)).toHaveLength(length);
    }
    const clear = () => labelings().delete({ brandId: 1 });

    it('CO-091 through, clear invalidates the target', () => rereads(labelsOf(1), clear, 0));
    it('CO-092 through, clear invalidates the base', () => rereads(brandsOf(FURIOUS), clear, 0));

    it('CO-093 and CO-094 through, clear leaves other rows alone', async () => {
      const row = () => labelings().findOneByOrFail({ brandId: 2, labelId: SLOW });
      const label = () => suite.repo(Label).findOneByOrFail({ id: SLOW });
      await row();
      await label();
      await clear();
      expect(await suite.q(async () => [await row(), await label()])).toBe(0);
    });

    const create = () => labelings().insert({ brandId: 1, labelId: SLOW });
    it('CO-099 through, create invalidates the target', () => rereads(labelsOf(1), create, 3));
    it('CO-100 through, create invalidates the base', () => rereads(brandsOf(SLOW), create, 2));

    const remove = async () =>
      labelings().remove(await labelings().findOneByOrFail({ brandId: 1, labelId: FURIOUS }));
    it('CO-101 through, delete invalidates the target', () => rereads(labelsOf(1), remove, 1));
    it('CO-102 through, delete invalidates the base', () => rereads(brandsOf(FURIOUS), remove, 0));
  });
});
