import type { DataSource } from 'typeorm';
import { Money, type CodecEntities } from './codec.entities.js';

export async function fill(source: DataSource, entities: CodecEntities): Promise<void> {
  const { manager } = source;
  const make = <T extends object>(target: new () => T, data: object): T => Object.assign(new target(), data);
  const { User, Profile, Category, Tag, Post, Comment, Person, Employee, Customer, Node, Priced, Secretive } =
    entities;
  const ann = make(User, {
    ...{ name: 'Ann', secret: 's', big: '9007199254740993', exact: 2n ** 60n, mirrored: 'abc' },
    ...{
      avatar: Buffer.from([0, 1, 255]),
      settings: { theme: 'dark', at: [1, { x: null }] },
      nick: ['a', 'b'],
    },
    ...{
      score: 1.5,
      balance: '10.50',
      birth: '2001-02-03',
      seenAt: new Date('2024-05-06T07:08:09Z'),
      labels: new Set(['x', 'y']),
    },
  });
  const bob = make(User, { name: 'Bob 🙂', active: false, exact: null, settings: null });
  const cid = make(User, { name: 'Cid', settings: [], score: -0.25 });
  await manager.save([ann, bob, cid]);
  await manager.save(make(Profile, { bio: 'about Ann', user: ann }));
  const news = await manager.save(make(Category, { title: 'News' }));
  const tags = await manager.save([
    make(Tag, { name: 'red', locale: 'en' }),
    make(Tag, { name: 'rouge', locale: 'fr' }),
  ]);
  const detail = { stars: 4, at: new Date('2024-01-02T03:04:05Z') };
  const first = make(Post, {
    title: 'First',
    author: ann,
    tags,
    counters: { likes: 3, detail },
    audit: { editor: bob, reason: 'typo' },
  });
  const second = make(Post, { title: 'Second', author: ann, tags: [tags[0]], counters: { likes: 0 } });
  const third = make(Post, { title: 'Third', author: null, counters: { likes: 1, detail: { stars: null } } });
  for (const post of [first, second]) (post as { category: unknown }).category = Promise.resolve(news);
  await manager.save([first, second, third]);
  await manager.save([
    make(Comment, { text: 'nice', post: first, writer: bob }),
    make(Comment, { text: 'anonymous', post: first, writer: null }),
    make(Comment, { text: 'again', post: second, writer: bob }),
  ]);
  const boss = await manager.save(make(Employee, { name: 'Eve', salary: 10 }));
  await manager.save([
    make(Person, { name: 'Pat' }),
    make(Employee, { name: 'Flo', boss }),
    make(Customer, { name: 'Gus', since: new Date(0) }),
  ]);
  const root = await manager.save(make(Node, { name: 'root' }));
  await manager.save(make(Node, { name: 'leaf', parent: root }));
  await manager.save([make(Priced, { price: new Money(5) }), make(Priced, { price: null })]);
  await manager.save(make(Secretive, { text: 'hush' }));
  const maker = await manager.save('Maker', { name: 'Acme' });
  const gadget = await manager.save('Gadget', {
    name: 'saw',
    madeAt: new Date(86_400_000),
    maker,
    size: { width: 2, unit: 'cm' },
  });
  await manager.save('Gadget', { name: 'rope', madeAt: new Date(0), maker: null });
  await manager.save('Part', { gadget });
}
