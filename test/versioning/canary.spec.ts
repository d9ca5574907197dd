import { readFileSync } from 'node:fs';
import { SubjectExecutor } from 'typeorm/persistence/SubjectExecutor.js';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Comment, Country, Post } from './entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

const manifest = readFileSync('node_modules/typeorm/package.json', 'utf8');
const { version } = JSON.parse(manifest) as { version: string };

/** The one test that an upgrade of TypeORM fails which moves what the guard hooks into. */
it('the guard fits the installed TypeORM', async () => {
  const source = await guardedSource('sqlite');
  const { warnings } = source.services;
  source.observed.detach();
  await source.close();
  const sentence = `TypeORM ${version} has moved what lib/typeorm/versioning/ hooks into: adapt it before this release is supported`;
  expect(warnings.length === 0 ? '' : `${sentence}. ${warnings.join()}`).toBe('');
});

it('leaves TypeORM as it was when the last guard goes', async () => {
  const before = Object.getOwnPropertyDescriptor(SubjectExecutor.prototype, 'recompute')?.value as unknown;
  const [one, two] = [await guardedSource('sqlite'), await guardedSource('sqlite')];
  const now = (): unknown => Object.getOwnPropertyDescriptor(SubjectExecutor.prototype, 'recompute')?.value;
  expect(now()).not.toBe(before);
  one.observed.detach();
  expect(now()).not.toBe(before);
  two.observed.detach();
  expect(now()).toBe(before);
  await one.close();
  await two.close();
});

type Methods = Record<string, (this: { updateSubjects: { identifier: object }[] }) => Promise<void>>;

/** Releases of TypeORM that are still to come. */
const RELEASES: readonly [string, (methods: Methods) => Methods][] = [
  ['the method is called otherwise', () => ({ executeUpdateOperations: undefined as never })],
  [
    'the builder is given another object',
    ({ executeUpdateOperations: original }) => ({
      executeUpdateOperations() {
        for (const subject of this.updateSubjects) subject.identifier = { ...subject.identifier };
        return original!.call(this);
      },
    }),
  ],
];

describe.each(RELEASES)('with a TypeORM in which %s', (_name, release) => {
  describe.each(DATABASES)('on %s', (kind) => {
    let source: CachedSource;
    const { repo, row } = shorthand(() => source);
    const methods = SubjectExecutor.prototype as unknown as Methods;
    const original = { ...methods, executeUpdateOperations: methods['executeUpdateOperations']! };

    beforeAll(async () => {
      Object.assign(methods, release(original));
      try {
        source = await guardedSource(kind);
      } finally {
        Object.assign(methods, { executeUpdateOperations: original.executeUpdateOperations });
      }
    });
    afterAll(() => source.close());

    it('says so, and locks and compares instead', async () => {
      expect(source.services.warnings).toEqual([
        expect.stringContaining('The version guard does not fit this release of TypeORM'),
      ]);
      const { id } = await repo(Post).save(
        repo(Post).create({ title: 'first', comments: [{ text: 'a' }] as Comment[] }),
      );
      const load = () => repo(Post).findOneOrFail({ where: { id }, relations: { comments: true } });
      const [mine, theirs] = [await load(), await load()];
      await repo(Post).save(Object.assign(theirs, { title: 'theirs' }));
      expect(theirs.version).toBe(2);
      mine.title = 'mine';
      expect(await refusal(repo(Post).save(mine))).toMatchObject({ expected: 1, actual: 2 });
      expect((await refusal(repo(Post).softRemove(mine))).operation).toBe('softRemove');
      expect((await refusal(repo(Post).remove(mine))).theirs).toMatchObject({ title: 'theirs' });
      expect((await refusal(repo(Post).save({ id, title: 'blind' }))).kind).toBe('missing-version');
      await repo(Comment).update({ postId: id }, { text: 'theirs' });
      theirs.comments[0]!.text = 'mine';
      expect((await refusal(repo(Post).save(theirs))).entity).toBe('Comment');
      expect(await row(Post, { id })).toMatchObject({ title: 'theirs', version: 2 });
      const country = await repo(Country).save({ code: 'NL', name: 'a' });
      await repo(Country).delete({ code: 'NL' });
      expect((await refusal(repo(Country).save(country))).kind).toBe('deleted');
    });
  });
});
