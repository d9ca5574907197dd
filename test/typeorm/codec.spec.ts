import 'reflect-metadata';
import { DataSource, EntitySchema, type EntityMetadata, type ObjectLiteral } from 'typeorm';
import { CacheOpsSerializationError } from '../../lib/cacheops.errors.js';
import { classCodec, createClassRegistry } from '../../lib/core/class-registry.js';
import { createSerializer } from '../../lib/core/serializer.js';
import { EntityCodec } from '../../lib/typeorm/codec/entity-codec.js';
import { schemaFingerprint } from '../../lib/typeorm/codec/schema-fingerprint.js';
import { createDatabase, DATABASES, type TestDatabase } from '../support/databases.js';
import { fill } from './codec.data.js';
import { codecEntities, Money, type CodecEntities } from './codec.entities.js';
import { QUERIES, UNSTORABLE } from './codec.queries.js';
import { graphDifference } from './codec.same.js';

const serializer = createSerializer();

describe.each(DATABASES)('entity codec on %s', (kind) => {
  let database: TestDatabase;
  let source: DataSource;
  let entities: CodecEntities;

  const open = async (target: CodecEntities, extra = {}): Promise<DataSource> => {
    const { Counters: _counters, Detail: _detail, ...rest } = target;
    return new DataSource({ ...database.options, entities: Object.values(rest), ...extra }).initialize();
  };

  beforeAll(async () => {
    entities = codecEntities(kind);
    database = await createDatabase(kind);
    source = await open(entities, { synchronize: true });
    await fill(source, entities);
  });

  afterAll(async () => {
    await source?.destroy();
    await database?.drop();
  });

  const run = async (query: (typeof QUERIES)[string]): Promise<[EntityMetadata, ObjectLiteral[]]> => {
    const builder = query(source, entities);
    return [builder.expressionMap.mainAlias!.metadata, await builder.getMany()];
  };

  const codecs: [string, () => EntityCodec][] = [
    ['compiled', () => new EntityCodec(source, serializer)],
    ['interpreted', () => new EntityCodec(source, serializer, { codeGeneration: false })],
  ];

  describe.each(codecs)('%s readers', (_, create) => {
    it.each(Object.entries(QUERIES))('%s', async (name, query) => {
      const [metadata, stored] = await run(query);
      const [, expected] = await run(query);
      if (name !== 'nothing found') expect(expected.length).toBeGreaterThan(0);
      const bytes = create().encode(metadata, stored)!;
      expect(bytes).toBeInstanceOf(Buffer);
      // Another codec, as in another process.
      const codec = create();
      for (let time = 0; time < 2; time++) {
        const actual = codec.decode(metadata, bytes);
        expect(graphDifference(expected, actual)).toBeUndefined();
        expect(graphDifference(stored, actual)).toBeUndefined();
      }
    });

    it.each(Object.entries(UNSTORABLE))('not stored: %s', async (_name, query) => {
      const [metadata, stored] = await run(query);
      expect(stored.length).toBeGreaterThan(0);
      expect(create().encode(metadata, stored)).toBeUndefined();
    });
  });

  it('reads without code generation where the runtime forbids it', async () => {
    const [metadata, stored] = await run(QUERIES['eager relations']!);
    const codec = new EntityCodec(source, serializer);
    const bytes = codec.encode(metadata, stored)!;
    const { Function: native } = globalThis;
    globalThis.Function = function () {
      throw new EvalError('Code generation from strings disallowed for this context');
    } as unknown as FunctionConstructor;
    try {
      expect(graphDifference(stored, codec.decode(metadata, bytes))).toBeUndefined();
    } finally {
      globalThis.Function = native;
    }
    expect(graphDifference(stored, codec.decode(metadata, bytes))).toBeUndefined();
  });

  it('gives lazy relations that load', async () => {
    const codec = new EntityCodec(source, serializer);
    const [metadata, stored] = await run(QUERIES['lazy relation left alone']!);
    const [category] = codec.decode(metadata, codec.encode(metadata, stored)!) as [
      { posts: Promise<ObjectLiteral[]> },
    ];
    expect((await category.posts).map(({ title }) => title as string).sort()).toEqual(['First', 'Second']);
  });

  it('gives joined lazy relations as promises that are settled', async () => {
    const codec = new EntityCodec(source, serializer);
    const [metadata, stored] = await run(QUERIES['lazy to-one joined, with null']!);
    const posts = codec.decode(metadata, codec.encode(metadata, stored)!) as {
      category: Promise<ObjectLiteral | null>;
    }[];
    const titles = await Promise.all(
      posts.map(async ({ category }) => (await category)?.title as string | undefined),
    );
    expect(titles).toEqual(['News', 'News', undefined]);
  });

  it('keeps what the classes do', async () => {
    const codec = new EntityCodec(source, serializer);
    const again = async (query: string): Promise<ObjectLiteral> => {
      const [metadata, stored] = await run(QUERIES[query]!);
      return codec.decode(metadata, codec.encode(metadata, stored)!)[0]!;
    };
    const user = await again('one row');
    expect(user).toBeInstanceOf(entities.User);
    expect(user.greet()).toBe('hello Ann');
    const [post] = [await again('to-one joined, with null')];
    expect(post.counters).toBeInstanceOf(entities.Counters);
    expect(post.counters.detail.summary()).toBe('4 stars');
    user.name = 'Ada';
    await user.save();
    expect(await source.manager.findOneBy(entities.User, { id: user.id })).toMatchObject({
      name: 'Ada',
      version: 2,
    });
    user.name = 'Ann';
    await user.save();
  });

  it('stores the instances of registered classes', async () => {
    const money = classCodec({
      target: Money,
      name: 'Money',
      encode: ({ cents }) => cents,
      decode: (cents) => new Money(cents as number),
    });
    const codec = new EntityCodec(source, createSerializer({ classes: createClassRegistry([money]) }));
    const [metadata, stored] = await run(UNSTORABLE['instances that a transformer made']!);
    expect(graphDifference(stored, codec.decode(metadata, codec.encode(metadata, stored)!))).toBeUndefined();
  });

  it('keeps cycles', async () => {
    const codec = new EntityCodec(source, serializer);
    const [metadata, stored] = await run(QUERIES['to-many joined, with empty']!);
    for (const user of stored) for (const post of user.posts) post.author = user;
    expect(graphDifference(stored, codec.decode(metadata, codec.encode(metadata, stored)!))).toBeUndefined();
  });

  it('does not store what is not as the hydrator makes it', async () => {
    const codec = new EntityCodec(source, serializer);
    const refused = async (spoil: (user: ObjectLiteral) => void): Promise<void> => {
      const [metadata, stored] = await run(QUERIES['to-many joined, with empty']!);
      spoil(stored[0]!);
      expect(codec.encode(metadata, stored)).toBeUndefined();
    };
    await refused((user) => Object.assign(user, { helper: () => 1 }));
    await refused((user) => Object.assign(user, { [Symbol('s')]: 1 }));
    await refused((user) => Object.assign(user, { other: new Money(1) }));
    await refused((user) => Object.assign(user, { profile: new Money(1) }));
    await refused((user) => Object.assign(user, { posts: [user, 1] }));
    await refused((user) => Object.assign(user, { posts: [user, null] }));
    await refused((user) => delete user.greet);
    await refused((user) => Object.setPrototypeOf(user, null));
    await refused((user) => Object.defineProperty(user, '__proto__', { value: 1, enumerable: true }));
    const [metadata, posts] = await run(QUERIES['eager relations']!);
    posts[1]!.comments = posts[0]!.comments;
    expect(codec.encode(metadata, posts)).toBeUndefined();
    posts[1]!.comments = [];
    posts[1]!.counters = posts[0]!.counters;
    expect(codec.encode(metadata, posts)).toBeUndefined();
    posts[1]!.counters = { likes: 1 };
    expect(codec.encode(metadata, posts)).toBeUndefined();
  });

  it('reports bytes of another schema or none as errors of the serializer', async () => {
    const codec = new EntityCodec(source, serializer);
    const [metadata, stored] = await run(QUERIES['to-one joined, with null']!);
    const bytes = codec.encode(metadata, stored)!;
    const payload = serializer.decode(bytes) as [string, string[], boolean, number, unknown[]];
    const altered = (change: (copy: typeof payload) => unknown): Buffer => {
      const copy = structuredClone(payload);
      change(copy);
      return serializer.encode(copy);
    };
    const damaged: Buffer[] = [
      bytes.subarray(0, bytes.length - 1),
      serializer.encode(undefined),
      serializer.encode({ a: 1 }),
      altered((copy) => (copy[0] = 'Other@other')),
      altered((copy) => (copy[1][0] = copy[1][0]!.replace('Post@', 'Gone@'))),
      altered((copy) => (copy[1][0] = copy[1][0]!.replace('"title"', '"headline"'))),
      altered((copy) => (copy[1][0] = copy[1][0]!.replace('"counters"', '"numbers"'))),
      altered((copy) => (copy[1].length = 0)),
      altered((copy) => copy[3]++),
      altered((copy) => copy[4].pop()),
      altered((copy) => copy[4].push(1)),
      altered((copy) => (copy[4][0] = -3)),
    ];
    for (const bad of damaged) expect(() => codec.decode(metadata, bad)).toThrow(CacheOpsSerializationError);
    expect(() => codec.decode(source.getMetadata(entities.User), bytes)).toThrow(CacheOpsSerializationError);
  });

  describe('fingerprint', () => {
    const fingerprintWith = async (change: (target: CodecEntities) => object[]): Promise<string> => {
      const other = new DataSource({ ...database.options, entities: change(codecEntities(kind)) as never });
      await other.initialize();
      const fingerprint = schemaFingerprint(other);
      await other.destroy();
      return fingerprint;
    };
    const all = ({ Counters: _counters, Detail: _detail, ...rest }: CodecEntities): object[] =>
      Object.values(rest);

    it('is the same for the same schema, in any order', async () => {
      const fingerprint = schemaFingerprint(source);
      expect(fingerprint).toMatch(/^[\w-]{43}$/);
      expect(await fingerprintWith(all)).toBe(fingerprint);
      expect(await fingerprintWith((target) => all(target).reverse())).toBe(fingerprint);
    });

    it('follows the schema', async () => {
      const { getMetadataArgsStorage } = await import('typeorm');
      const storage = getMetadataArgsStorage();
      const variants = [
        (target: CodecEntities) => all(target).filter((entity) => entity !== target.Priced),
        (target: CodecEntities) => {
          storage.columns.find(
            (column) => column.target === target.User && column.propertyName === 'name',
          )!.options.name = 'n';
          return all(target);
        },
        (target: CodecEntities) => {
          const column = storage.columns.find(
            ({ target: owner, propertyName }) => owner === target.User && propertyName === 'mirrored',
          );
          column!.options.transformer = { to: (value: string) => value, from: (value: string) => value };
          return all(target);
        },
        (target: CodecEntities) => {
          const author = storage.relations.find(
            (relation) => relation.target === target.Post && relation.propertyName === 'author',
          )!;
          Object.assign(author, { isLazy: true });
          return all(target);
        },
      ];
      const found = new Set([schemaFingerprint(source)]);
      for (const variant of variants) found.add(await fingerprintWith(variant));
      expect(found.size).toBe(variants.length + 1);
    });
  });
});

describe('what decides how an entity is made', () => {
  const sources: DataSource[] = [];
  const open = async (options: object): Promise<DataSource> => {
    const source = new DataSource({ type: 'sqljs', synchronize: true, ...options });
    sources.push(source);
    return source.initialize();
  };
  afterAll(() => Promise.all(sources.map((source) => source.destroy())));

  it('is followed: entitySkipConstructor and typename', async () => {
    const entities = codecEntities('sqlite');
    const { Counters: _counters, Detail: _detail, ...rest } = entities;
    const options = { entitySkipConstructor: true, typename: '__typename', entities: Object.values(rest) };
    const source = await open(options);
    await fill(source, entities);
    const codec = new EntityCodec(source, serializer);
    for (const name of ['eager relations', 'lazy to-many joined', 'classes of one table']) {
      const builder = QUERIES[name]!(source, entities);
      const { metadata } = builder.expressionMap.mainAlias!;
      const stored = await builder.getMany();
      expect(stored[0]).toHaveProperty('__typename');
      expect(
        graphDifference(stored, codec.decode(metadata, codec.encode(metadata, stored)!)),
      ).toBeUndefined();
    }
  });

  it('is refused where an instance does not show it: own accessors, a class of two entities', async () => {
    class Watched {
      constructor() {
        Object.defineProperty(this, 'age', { get: () => 1, enumerable: true, configurable: true });
      }
    }
    class Twice {}
    const schema = (tableName: string, target: new () => object) =>
      new EntitySchema<{ id: number }>({
        name: tableName,
        tableName,
        target,
        columns: { id: { type: Number, primary: true } },
      });
    const source = await open({ entities: [schema('w', Watched), schema('a', Twice), schema('b', Twice)] });
    const codec = new EntityCodec(source, serializer);
    expect(source.entityMetadatas.length).toBe(3);
    for (const metadata of source.entityMetadatas) {
      const entity = Object.assign(metadata.create() as object, { id: 1 });
      expect(codec.encode(metadata, [entity])).toBeUndefined();
    }
  });
});
