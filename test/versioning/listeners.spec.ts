import {
  BeforeUpdate,
  Column,
  Entity,
  type EntitySubscriberInterface,
  PrimaryGeneratedColumn,
  VersionColumn,
} from 'typeorm';
import type { CachedSource } from '../support/cached-data-source.js';
import { DATABASES } from '../support/databases.js';
import { Comment, Country, Post, VERSIONED } from './entities.js';
import { guardedSource, refusal, shorthand } from './support.js';

@Entity()
class Signed {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;

  @Column({ default: 0 })
  length!: number;

  @VersionColumn()
  version!: number;

  @BeforeUpdate()
  measure(): void {
    this.length = this.text.length;
  }
}

/** Code of the application that runs inside a save. */
describe.each(DATABASES)('listeners and subscribers on %s', (kind) => {
  let source: CachedSource;
  const { repo, copies, row } = shorthand(() => source);
  const post = (title = 'first'): Promise<Post> => repo(Post).save(repo(Post).create({ title }));

  /** While `work` runs, `subscriber` hears of what happens to posts. */
  async function hearing<T>(subscriber: EntitySubscriberInterface<Post>, work: () => Promise<T>): Promise<T> {
    const { subscribers } = source.dataSource;
    const listening = { listenTo: () => Post, ...subscriber };
    subscribers.push(listening);
    try {
      return await work();
    } finally {
      subscribers.splice(subscribers.indexOf(listening), 1);
    }
  }

  beforeAll(async () => {
    source = await guardedSource(kind, { entities: [...VERSIONED, Signed] });
  });
  afterAll(() => source.close());

  it('what a listener changes in the entity is written, and a stale one is refused', async () => {
    const { id } = await repo(Signed).save(repo(Signed).create({ text: 'a' }));
    const [theirs, mine] = await copies(Signed, { id });
    await repo(Signed).save(Object.assign(theirs, { text: 'theirs' }));
    expect(theirs).toMatchObject({ length: 6, version: 2 });
    expect((await refusal(repo(Signed).save(Object.assign(mine, { text: 'mine!' })))).actual).toBe(2);
    expect(await row(Signed, { id })).toMatchObject({ text: 'theirs', length: 6, version: 2 });
  });

  it('what a subscriber changes in the entity is written, and a stale one is refused', async () => {
    const { id } = await post();
    const [theirs, mine] = await copies(Post, { id });
    const shout: EntitySubscriberInterface<Post> = {
      beforeUpdate: ({ entity }) => {
        if (entity) entity['body'] = 'by a subscriber';
      },
    };
    await hearing(shout, () => repo(Post).save(Object.assign(theirs, { title: 'theirs' })));
    const error = await hearing(shout, () =>
      refusal(repo(Post).save(Object.assign(mine, { title: 'mine' }))),
    );
    expect(error).toMatchObject({ expected: 1, actual: 2 });
    expect(await row(Post, { id })).toMatchObject({ title: 'theirs', body: 'by a subscriber', version: 2 });
  });

  it('a subscriber that saves in turn is guarded too, and takes all of it back', async () => {
    const mine = await post();
    const comment = await repo(Comment).save(repo(Comment).create({ text: 'first' }));
    const stale = await repo(Comment).findOneByOrFail({ id: comment.id });
    await repo(Comment).save(Object.assign(comment, { text: 'theirs' }));
    const saving = (entity: Comment): EntitySubscriberInterface<Post> => ({
      afterUpdate: async ({ manager }) => void (await manager.save(Object.assign(entity, { text: 'mine' }))),
    });
    mine.title = 'second';
    const error = await hearing(saving(stale), () => refusal(repo(Post).save(mine)));
    expect(error).toMatchObject({ entity: 'Comment', expected: 1, actual: 2 });
    expect(mine).toMatchObject({ title: 'second', version: 1 });
    expect(await row(Post, { id: mine.id })).toMatchObject({ title: 'first', version: 1 });
    await hearing(saving(comment), () => repo(Post).save(mine));
    expect(await row(Post, { id: mine.id })).toMatchObject({ title: 'second', version: 2 });
    expect(await row(Comment, { id: comment.id })).toMatchObject({ text: 'mine', version: 3 });
  });

  it('a subscriber that saves past its transaction does not wait for itself', async () => {
    const mine = await post();
    const logging: EntitySubscriberInterface<Post> = {
      beforeUpdate: async () => void (await repo(Country).save({ code: 'LV', name: 'logged' })),
    };
    await hearing(logging, () => repo(Post).save(Object.assign(mine, { title: 'second' })));
    expect(await row(Country, { code: 'LV' })).toMatchObject({ name: 'logged', version: 1 });
  });
});
